"""The table of how good native must be: what is computed from records and micro-benchmarks, and what is said to be met."""
import json

import pytest

import make_runs
from daxlab import InputError, bars, micro

FLOOR, LINE = 410.5, 51.0  # of make_runs.ENVIRONMENT


def maker(overwrite: float, create: float = 500.0, grown: float = 1.1) -> make_runs.Maker:
    make = make_runs.Maker()
    for engine, ns in (("null", 22.0), ("native", overwrite)):
        make.cell(engine, "overwrite", ns, params={"block_bytes": "4KiB", "order": "random", "sharing": "private", "file_size": "128MiB"})
    for population, factor in (("1000", 1.0), ("1000000", grown)):
        make.cell("native", "create_unlink", create * factor, params={"phase": "create", "population": population})
    return make


def found(runs):
    return {row.what: row for row in bars.rows_of(runs)}


def test_a_bar_is_a_multiple_of_the_floor_that_the_run_measured(loaded):
    # make_runs: the median lies about a tenth below the mean
    rows = found(loaded(maker(1.5 * FLOOR)))
    assert rows["4 KiB overwrite, median"].met is True
    assert float(rows["4 KiB overwrite, median"].found.split()[0]) == pytest.approx(0.9 * 1.5, rel=0.03)
    assert found(loaded(maker(1.9 * FLOOR)))["4 KiB overwrite, median"].met is False


def test_tails_are_counted_less_those_of_null(loaded):
    make = maker(500)
    rows = found(loaded(make))
    row = rows["4 KiB overwrite: time in operations above 20 µs, less that of null"]
    assert row.met is (float(row.found.split()[0]) <= 1) and "null" in row.note and "p99.99" in row.note
    cell = bars._cells(loaded(make), "overwrite", "native", block_bytes="4KiB")[0]
    histogram = bars.tables.merged(loaded(make), cell)
    slow = sum(v * c for v, c in zip(histogram.values, histogram.counts) if v > 20_000)
    assert bars.slow_share(loaded(make), cell) == pytest.approx(slow / (histogram.values * histogram.counts).sum())


def test_names_are_held_against_their_lines_fences_and_growth(loaded):
    rows = found(loaded(maker(500, create=400)))
    assert rows["create: fences and lines"].found == "3.00 and 9.00" and rows["create: fences and lines"].met
    assert rows["create among 1000 names, median"].met is True   # 0.9 * 400 against 2 * 9 * 51
    assert rows["create: 1000000 names against 1000, medians"].met is True
    assert found(loaded(maker(500, grown=1.5)))["create: 1000000 names against 1000, medians"].met is False


def test_mounts_come_from_the_micro_benchmarks(loaded):
    make = maker(500)
    assert not [what for what in found(loaded(make)) if what.startswith("mount")]
    make.benchmark("mount/clean/32000/real_time", 30e6)
    make.benchmark("mount/crash/1000000/real_time", 2e9)
    rows = {what: row for what, row in found(loaded(make)).items() if what.startswith("mount")}
    assert [row.met for row in rows.values()] == [True, False]
    assert "0.50 M inodes/s" in list(rows.values())[1].found


def test_writers_and_memory_come_from_the_micro_benchmarks(loaded):
    make = maker(500)
    make.benchmark("two_writers/iterations:25/real_time", 60e6, quotient=0.8, file_ratio=1.4, process_ratio=1.75)
    make.benchmark("dram_bytes/iterations:1", 60e6, per_name=104.2, per_open=0.0)
    rows = found(loaded(make))
    writers = next(row for what, row in rows.items() if what.startswith("two writers"))
    assert writers.met is False and "1.75" in writers.note
    assert rows["memory of a further name of a file"].found == "104 bytes" and rows["memory of a further name of a file"].met is None


def test_without_floors_or_native_there_is_no_table(loaded, tmp_path):
    make = make_runs.Maker()
    make.cell("null", "append", 22)
    assert bars.rows_of(loaded(make)) == []


def test_aggregates_of_google_benchmark_are_left_out_and_repetitions_become_medians(loaded):
    make = maker(500)
    make.benchmark("rename_within/1000", 2e6, repetitions=3, p50_ns=7.0)
    row = micro.benchmarks(loaded(make))["rename_within/1000"]
    assert row["ns"] == pytest.approx(2e6) and row["p50_ns"] == 7.0


def test_a_damaged_file_of_micro_benchmarks_is_named(loaded, tmp_path):
    runs = loaded(maker(500))
    (runs.folders[0] / "micro.json").write_text(json.dumps({"context": {}}))
    with pytest.raises(InputError, match="micro.json"):
        micro.benchmarks(runs)
