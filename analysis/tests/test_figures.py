"""Figures: every one draws, says its medium, and refuses what must not stand in one picture."""
import json

import matplotlib.pyplot as plt
import pytest

import make_runs
from daxlab import InputError, explain, figures, style, tables

MODULES = [m for m in figures.modules() if not figures.name(m).startswith("exact_")]  # those are in test_exact.py
BY_NAME = {figures.name(m): m for m in MODULES}


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def texts(fig):
    return [t.get_text() for t in fig.findobj(plt.Text) if t.get_text()]


def test_the_figures_of_the_main_job_are_there():
    assert {"throughput", "latency_percentiles", "latency_cdf", "thread_scaling", "lock_waits", "flushes", "twin_overhead", "explain",
            "fsync_every", "floor", "verdicts"} <= BY_NAME.keys()


@pytest.mark.parametrize("module", MODULES, ids=figures.name)
def test_a_figure_has_question_title_medium_and_sentence(module, runs):
    assert module.QUESTION.endswith("?")
    fig = module.draw(runs)
    title = fig._suptitle.get_text()
    assert "emulated dram, profile dram" in title
    assert module.says(runs).endswith(".")
    shown = " ".join(texts(fig))
    assert "null" in shown or module is BY_NAME["floor"], "the harness's own cost is missing"


@pytest.mark.parametrize("module", MODULES, ids=figures.name)
def test_a_figure_refuses_two_media_at_once(module, loaded):
    maker = make_runs.Maker()
    for profile in ("dram", "optane-100"):
        maker.cell("native", "append", 950, media=make_runs.MEDIA | {"profile": profile})
    with pytest.raises((tables.Mixed, tables.NotInRun)) as error:
        module.draw(loaded(maker))
    if module in (BY_NAME["throughput"], BY_NAME["latency_cdf"], BY_NAME["flushes"]):
        assert error.type is tables.Mixed


@pytest.mark.parametrize("module", MODULES, ids=figures.name)
def test_a_figure_without_its_cells_says_what_it_needs(module, loaded):
    maker = make_runs.Maker()
    maker.cell("null", "append", 22)
    with pytest.raises(tables.NotInRun):
        module.draw(loaded(maker))


def test_different_fingerprints_are_refused_unless_they_differ_in_the_swept_axis(runs):
    rows = runs.plain
    sweep = rows[rows["workload"] == "fsync_every"]
    tables.require_one_fingerprint(sweep, free=("n",))
    with pytest.raises(tables.Mixed, match="fingerprints"):
        tables.require_one_fingerprint(sweep)
    with pytest.raises(tables.Mixed):
        tables.require_one_fingerprint(rows[rows["workload"].isin(["append", "read"])], free=("n",))


def test_native_does_not_stand_beside_journaling_designs_without_its_relaxed_twin(loaded):
    def panel(*engines):
        maker = make_runs.Maker()
        for engine in engines:
            maker.cell(engine, "overwrite", 900)
        return tables.panels(loaded(maker))[0]

    assert "native" not in set(panel("native", "xfs-today").cells["engine"])
    assert "native-relaxed" in panel("native", "xfs-today").left_out[0]
    assert "native" in set(panel("native", "native-relaxed", "xfs-today").cells["engine"])
    assert "native" in set(panel("native", "null").cells["engine"])


def test_the_halves_of_a_pair_are_no_bars_of_their_own(runs):
    cells = next(p for p in tables.panels(runs) if p.workload == "overwrite" and p.crossing == "none").cells
    assert not {"native@a", "native@b"} & set(cells["series"])


def test_posix_stands_only_where_others_cross_too_and_the_panel_says_so(runs):
    for panel in tables.panels(runs):
        assert ("posix" in set(panel.cells["engine"])) == (tables.NOT_LIKE_FOR_LIKE in panel.title)
        assert panel.crossing == "syscall" or "posix" not in set(panel.cells["engine"])


def test_bars_begin_at_zero_and_twins_give_no_bar(runs):
    fig = BY_NAME["throughput"].draw(runs)
    assert all(axis.get_xlim()[0] == 0 for axis in fig.axes)
    assert all(set(p.cells["ns"].map(lambda s: s.n)) == {5} for p in tables.panels(runs))  # five plain processes, no twin


def test_colour_and_marker_are_one_per_engine_and_distinct():
    assert len(set(style.LOOK.values())) == len(style.LOOK) == len({m for _, m in style.LOOK.values()})
    assert style.look("native@a:policy=exclusive") == style.LOOK["native"]
    assert style.look("something-new") == style.look("something-new")


def test_a_residual_above_a_tenth_is_red(runs):
    accounts = explain.accounts(runs)
    assert set(accounts[[explain.unexplained(a) for _, a in accounts.iterrows()]]["workload"]) == {"rename"}
    fig = BY_NAME["explain"].draw(runs)
    red = plt.matplotlib.colors.to_rgba(style.RED)
    by_title = {axis.get_title(loc="left"): any(p.get_facecolor() == red for p in axis.patches) for axis in fig.axes}
    assert [name for name, found in by_title.items() if found] == ["rename"]


def test_shares_of_an_account_add_up_to_one(runs):
    assert all(sum(a["share"].values()) == pytest.approx(1) for _, a in explain.accounts(runs).iterrows())


def test_counts_that_disagree_by_more_than_a_percent_are_shown(runs):
    lock_waits = BY_NAME["lock_waits"]
    record = runs.of("traced").query("workload == 'fault_vs_write'").iloc[0]
    offs = {k: lock_waits.off_by(*v) for k, v in lock_waits.seen(record).items()}
    assert offs["faults"] == offs["writes"] == 0 and offs["waits in writes"] == pytest.approx(-0.03, abs=0.002)
    assert any("-3.0 %" in t for t in texts(lock_waits.draw(runs)))
    assert "disagree by up to 3" in lock_waits.says(runs)


def test_a_probe_that_was_skipped_is_compared_with_nothing():
    lock_waits = BY_NAME["lock_waits"]
    assert lock_waits.off_by(5, None) is None and lock_waits.off_by(0, 0) is None and lock_waits.off_by(0, 3) == float("inf")


def test_panel_names_tell_cells_apart(runs):
    names = [(p.name, p.crossing) for p in tables.panels(runs)]
    assert len(names) == len(set(names))


def test_one_factor_finds_pairs_that_differ_in_one_option_alone(runs):
    contrasts = [c for _, found in BY_NAME["one_factor"]._found(runs) for c in found]
    logs = sorted((c.rest.split()[0], round(c.ratio.value, 1)) for c in contrasts if c.factor == "log" and c.new == "direct" and "v" in c.rest)
    assert ("v2", 0.9) in logs and ("v3", 0.8) in logs
    assert {c.factor for c in contrasts} == {"log", "format"}, "retrofit differs from the others in more than one"


def test_the_cost_of_mapping_stands_beside_the_kernels_counts(loaded):
    make = make_runs.Maker()
    make.cell("null", "append", 22)
    make_runs.core_cells(make)
    runs = loaded(make)
    module = BY_NAME["vmap_cost"]
    assert "kernel" not in module.says(runs)
    call = {"step": {"functions": {"vm_map_ram": {"calls": 32, "instructions": 32 * 1744}}}}
    (runs.folders[0] / "vmap.json").write_text(json.dumps({"kernel": "x", "parts": {"costs": [
        {"part": "map, used tables", "pages": 16, "classes": call}, {"part": "purge", "pages": 16, "classes": {}}]}}))
    assert "109 instructions a page at 16 pages" in module.says(runs)
    (runs.folders[0] / "vmap.json").write_text("[]")
    with pytest.raises(InputError, match="vmap.json"):
        module.draw(runs)
