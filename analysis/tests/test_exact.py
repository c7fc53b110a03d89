"""Exact runs: figures, tables and the gap between models and the kernel, on made-up records."""
import math

import matplotlib.pyplot as plt
import pytest

import make_runs
from daxlab import exact, figures, kernel_gap, report, style, tables
from daxlab.sections import exact as exact_section
from daxlab.sections import kernel_crash as crash_section
from daxlab.sections import kernel_gap as gap_section

MODULES = [m for m in figures.modules() if figures.name(m).startswith("exact_")]
SCALE = {"ext4-dax": 30, "xfs-dax": 20, "native": 1, "native-relaxed": 1, "null": 0, "xfs-today": 10}
OPERATIONS = [("append", {"block_bytes": "4KiB"}), ("fsync_every", {"op": "append", "n": "1", "block_bytes": "4KiB"}),
              ("fsync_every", {"op": "create", "n": "1", "block_bytes": "4KiB"}), ("create_unlink", {"phase": "unlink", "population": "1000"}),
              ("rename", {"population": "1000"}), ("mmap_fault", {"touch": "redirty", "stride": "4KiB"})]


def counters(engine, step):
    scale = SCALE[engine] * step
    kernel = engine in exact.KERNEL
    counted = {"instructions_user": 1000 * (step + (0 if kernel else 900 * scale)), "instructions_kernel": 1_000_000 * scale * kernel, "clwb": 1000 * scale,
               "fences": 1000 * scale, "nvdimm_bytes_written": 64_000 * scale, "nvdimm_blocks_written": 1000 * scale, "log_bytes": 7000 * scale,
               "logical_bytes": 128_000, "wakeups": 2000 * kernel}
    if kernel:
        counted |= {"kernel_log": 400_000 * scale, "kernel_copy": 600_000 * scale, "calls_xlog_write": 2000, "inside_xlog_write": 2000 * 350,
                    "stored_xlog_write": 2000 * 512, "deferred_count": 1, "deferred_instructions_kernel": 5000, "reset_count": 10,
                    "reset_instructions_kernel": 40_000, "reset_clwb": 160}
    return counted


@pytest.fixture
def exact_runs(loaded):
    def make(*engines):
        maker = make_runs.Maker()
        for engine in engines:
            for step, (workload, params) in enumerate(OPERATIONS, 1):
                maker.exact(engine, workload, params, counters(engine, step), models={"xfs-today": "xfs-dax"}.get(engine, ""))
        return loaded(maker)

    yield make
    plt.close("all")


ENGINES = ("null", "native", "native-relaxed", "ext4-dax", "xfs-dax")


@pytest.mark.parametrize("module", MODULES, ids=figures.name)
def test_a_figure_draws_exact_cells_and_names_the_guest(module, exact_runs):
    fig = module.draw(exact_runs(*ENGINES))
    assert "guest nvdimm" in fig._suptitle.get_text()
    shown = " ".join(t.get_text() for t in fig.findobj(plt.Text))
    assert "ext4-dax" in shown and "xfs-dax" in shown
    assert module.says(exact_runs(*ENGINES)).endswith(".")


@pytest.mark.parametrize("module", MODULES, ids=figures.name)
def test_a_figure_without_exact_cells_says_what_it_needs(module, runs):
    with pytest.raises(tables.NotInRun, match="daxlab exact"):
        module.draw(runs)


def test_a_figure_of_the_kernel_needs_a_kernel_file_system(exact_runs):
    module = next(m for m in MODULES if figures.name(m) == "exact_kernel")
    with pytest.raises(tables.NotInRun, match="--fs"):
        module.draw(exact_runs("native", "native-relaxed"))


def test_operations_are_called_as_people_call_them():
    assert exact.operation("fsync_every", {"op": "append", "n": "1", "block_bytes": "4KiB"}) == "4 KiB append + fsync"
    assert exact.operation("fsync_every", {"op": "overwrite", "n": "1", "block_bytes": "64"}) == "64 B overwrite + fsync"
    assert exact.operation("fsync_every", {"op": "create", "n": "1", "block_bytes": "4KiB"}) == "create + fsync(dir)"
    assert exact.operation("fsync_every", {"op": "append", "n": "64", "block_bytes": "4KiB"}) == "4 KiB append, 64 per fsync"
    assert exact.operation("mmap_fault", {"touch": "first", "stride": "2MiB"}) == "write fault, untouched, 2 MiB"
    assert exact.operation("stat", {"population": "10"}) == "stat"


def test_native_stands_beside_a_kernel_only_with_its_relaxed_twin(exact_runs):
    for found in exact.operations(exact_runs("native", "xfs-dax")):
        assert exact.series([found]) == ["xfs-dax"] and "native-relaxed" in found.left_out[0]


def test_repetitions_with_other_seeds_are_averaged(loaded):
    maker = make_runs.Maker()
    for repetition, fences in enumerate((1000, 3000)):
        maker.exact("xfs-dax", "rename", {"population": "10"}, {"fences": fences, "instructions_kernel": 10})
        maker.records[-1]["repetition"] = repetition
    (found,) = exact.operations(loaded(maker))
    assert exact.per_op(exact.by_series(found)["xfs-dax"], "fences") == 2.0


def test_the_section_counts_per_operation_and_per_call(exact_runs):
    found = exact.operations(exact_runs(*ENGINES))
    functions = exact_section.function_rows(found)
    assert {r["function"] for r in functions} == {"xlog_write"} and {r["series"] for r in functions} == set(exact.KERNEL)
    assert all((r["calls"], r["instructions"], r["stored"]) == (2.0, 350.0, 512.0) for r in functions)
    later = [r for r in exact_section.later_rows(found) if r["what"].startswith("return")]
    assert later and all((r["instructions"], r["clwb"], r["per_op"]) == (4000.0, 16.0, 40.0) for r in later)
    rows = {r["series"]: r for r in exact_section.count_rows(found[0])}
    assert rows["native"]["amplification"] == 256 * 1000 / 128_000 and rows["null"]["values"][0] == 1.0


def test_the_page_holds_both_sections_where_a_model_stands_beside_the_kernel(exact_runs):
    page = report.render(exact_runs(*ENGINES, "xfs-today"), [])
    assert exact_section.TITLE in page and gap_section.TITLE in page and "xlog_write" in page
    assert gap_section.TITLE not in report.render(exact_runs(*ENGINES), [])


def test_the_page_tells_crash_images_their_findings_and_the_control(exact_runs):
    runs = exact_runs("xfs-dax")
    assert crash_section.TITLE not in report.render(runs, [])
    counts = dict.fromkeys(("sequences", "operations", "stores", "flushes", "fences", "points", "distinct", "judged", "trees", "checked"), 512)
    finding = {"what": "/foo is gone", "where": "before 'sync /'", "image": "3/all", "sequence": "create /foo; sync /"}
    runs.environments[0]["kernel_crash"] = [counts | {"name": "xfs-dax", "wrong": 1, "findings": [finding], "alarms": ["BUG: none"], "control_judged": 52, "locked_judged": 77, "locked_wrong": 3,
                                                      "control_wrong": 50}]
    page = report.render(runs, [])
    for text in (crash_section.TITLE, "/foo is gone", "3/all", "BUG: none", "50 of 52", "3 of 77"):
        assert text in page


def test_one_factor_fitted_on_half_of_the_cells_predicts_a_proportional_model(exact_runs):
    found = {g.quantity: g for g in kernel_gap.gaps(exact_runs("xfs-dax", "xfs-today"))}
    assert found["fences"].factor == pytest.approx(2) and found["fences"].holds
    assert len(found["fences"].held_out) == len(OPERATIONS) // 2
    assert all(cell.error == pytest.approx(0) for cell in found["log bytes"].cells)


def test_an_engine_is_a_model_of_the_kernel_that_its_records_name_and_of_no_other(exact_runs):
    assert {(g.engine, g.kernel) for g in kernel_gap.gaps(exact_runs("ext4-dax", "xfs-dax", "xfs-today", "null"))} == {("xfs-today", "xfs-dax")}
    assert kernel_gap.gaps(exact_runs("ext4-dax", "xfs-today")) == []


def test_a_model_that_counts_none_does_not_hold(exact_runs):
    found = {g.quantity: g for g in kernel_gap.gaps(exact_runs("xfs-dax", "xfs-today"))}
    assert not found["wake-ups"].holds and found["wake-ups"].worst == 1.0


def test_a_model_that_is_wrong_on_cells_not_fitted_does_not_hold(exact_runs):
    runs = exact_runs("xfs-dax", "xfs-today")
    name = kernel_gap.gaps(runs)[0].held_out[0].name
    wrong = next(o for o in exact.operations(runs) if o.name == name)
    for record in runs.records:
        if record["engine"] == "xfs-today" and record["workload"] == wrong.workload and record["params"] == wrong.params:
            record["counters"]["fences"] *= 2
    runs.__dict__.pop("frame", None)
    gap = next(g for g in kernel_gap.gaps(runs) if g.quantity == "fences")
    assert not gap.holds and gap.worst == pytest.approx(1.0)


def test_an_error_is_infinite_where_the_kernel_counts_none():
    assert kernel_gap.Cell("x", False, 0.0, 1.0, 1.0).error == math.inf
    assert kernel_gap.Cell("x", False, 0.0, 0.0, 0.0).error == 0.0
    assert style.engine_of("xfs-dax:wsync=on") in exact.KERNEL
