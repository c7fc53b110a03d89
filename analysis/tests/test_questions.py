"""The claims: exactly one outcome each, decided by the registered numbers."""
import tomllib

import pytest

import make_runs
from daxlab import evidence, questions

BY_NAME = {questions.name(m): m for m in questions.modules()}
CORE = make_runs.CORE
GEOMETRIES = evidence.claim("C2")["cells"]["geometries"]


def answer(name, runs):
    return BY_NAME[name].answer(runs)


def test_the_registration_states_five_claims_with_ordered_exclusive_outcomes():
    claims = tomllib.loads(evidence.REGISTERED.read_text())["claims"]
    assert [c["id"] for c in claims] == ["C1", "C2", "C3", "C4", "C5"]
    assert all(c["outcomes"] == ["upheld", "refuted", "open"] and c["cells"] and c["decided_by"] for c in claims)
    assert len(evidence.sha256()) == 64


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_without_its_cells_a_claim_is_not_measured_yet(name, runs):
    found = answer(name, runs)
    assert found.word == "not measured yet" and found.needs


def grid(speedups):
    maker = make_runs.Maker(sigma=0.002)
    for i, speedup in enumerate(speedups):
        params = {"op": "overwrite", "block_bytes": f"{64 << i}", "n": "4", "file_size": "32MiB"}
        for path, ns in (("stream", 1000.0), ("cached-tracked", 1000.0 / speedup)):
            maker.cell("native", "fsync_every", ns, params, options={"write_path": path, "durability": "fsync"})
    return maker


@pytest.mark.parametrize("speedups, word", [
    ([1.2, 1.2, 0.8, 0.8], "upheld"), ([1.2, 0.8, 0.8, 0.8], "open"), ([0.8] * 4, "refuted"), ([1.05] * 4, "open")])
def test_c1_counts_points_of_the_grid(speedups, word, loaded):
    found = answer("c1", loaded(grid(speedups)))
    assert found.word == word and "open for media not measured" in found.missing


def test_c1_wants_five_processes(loaded):
    maker = make_runs.Maker()
    params = {"op": "overwrite", "block_bytes": "64", "n": "4"}
    for path in ("stream", "cached-tracked"):
        maker.cell("native", "fsync_every", 1000, params, options={"write_path": path}, repetitions=3)
    found = answer("c1", loaded(maker))
    assert found.word == "not measured yet" and "3 of 5 processes" in found.missing[0]


def discontiguous(costs, axis="map"):
    """A pair of cells for each geometry: handling it costs this much."""
    maker = make_runs.Maker(sigma=0.001)
    for geometry, cost in costs.items():
        media = make_runs.MEDIA | {"run": "linear" if axis == "log_run" else geometry}
        base, other = (CORE | {axis: v} for v in (("linear", geometry) if axis == "log_run" else ("contig", "segment")))
        maker.cell("contig", "create_unlink", 4000, options=base, media=media) if not maker.records or axis == "map" else None
        maker.cell("retrofit", "create_unlink", 4000 * (1 + cost), options=other, media=media)
    return maker


def test_c2_is_upheld_by_one_geometry_that_is_dear(loaded):
    found = answer("c2", loaded(discontiguous({g: 0.15 if g == "hole" else 0.0 for g in GEOMETRIES})))
    assert found.word == "upheld" and "hole" in found.points[0].text


def test_c2_is_refuted_only_by_all_geometries(loaded):
    assert answer("c2", loaded(discontiguous({g: 0.005 for g in GEOMETRIES}))).word == "refuted"
    found = answer("c2", loaded(discontiguous({g: 0.005 for g in GEOMETRIES[:3]})))
    assert found.word == "open" and "hole" in found.missing[0]


def test_c2_takes_the_log_by_its_own_option_and_leaves_adversarial_scatter_out(loaded):
    found = answer("c2", loaded(discontiguous({"stripe-64KiB": 0.2}, "log_run")))
    assert found.word == "upheld" and "(log_run)" in found.points[0].text
    assert answer("c2", loaded(discontiguous({"4KiB": 0.9}, "log_run"))).word == "not measured yet"


def test_c2_compares_cells_that_differ_in_one_option_alone(loaded):
    maker = make_runs.Maker()
    maker.cell("contig", "create_unlink", 4000, options=CORE | {"map": "contig", "log": "buffered"})
    maker.cell("retrofit", "create_unlink", 5000, options=CORE | {"map": "segment", "log": "direct"})
    assert answer("c2", loaded(maker)).word == "not measured yet"


@pytest.mark.parametrize("shares, word", [((0.01, 0.03), "upheld"), ((0.01, 0.30), "refuted"), ((0.01, 0.10), "open")])
def test_c3_looks_at_the_share_of_pages(shares, word, loaded):
    maker = make_runs.Maker()
    for i, share in enumerate(shares):
        maker.cell("vmap", "tree", 9000, {"tree": f"tree{i}"}, counters={"metadata_pages": int(1000 * share), "device_pages": 1000})
    assert answer("c3", loaded(maker)).word == word


@pytest.mark.parametrize("arms, word", [
    ({"no": (0, 0), "yes": (0, 0)}, "refuted"), ({"no": (1, 0), "yes": (0, 0)}, "upheld"), ({"no": (0, 2)}, "upheld"), ({"no": (0, 0)}, "open")])
def test_c4_counts_failures_and_waits_under_pressure(arms, word, loaded):
    maker = make_runs.Maker()
    for populated, (failures, waits) in arms.items():
        maker.exact("xfs-dax", "map_at_log_write", {"pressure": "yes", "populated": populated},
                    {"map_attempts": 1000, "map_failures": failures, "log_waits": waits})
    assert answer("c4", loaded(maker)).word == word


def curve(times, ns=("1", "64"), durability="fsync"):
    """times: engine -> ns per operation at each n."""
    maker = make_runs.Maker(sigma=0.002)
    for engine, values in times.items():
        for n, value in zip(ns, values):
            options = make_runs.OPTIONS.get(engine, CORE | make_runs.PRESETS.get(engine, {})) | {"durability": durability}
            maker.cell(engine, "fsync_every", value, {"op": "create", "n": n, "population": "10000"}, options=options)
    return maker


@pytest.mark.parametrize("native, arm, today, word", [
    (1000, 3000, 4000, "upheld"),     # 3 times as fast, a third of the distance recovered
    (1000, 1600, 4000, "open"),       # 1.6 times as fast, but four fifths recovered
    (1000, 1050, 4000, "refuted"),    # within 10 %
    (1000, 900, 4000, "refuted"),     # ahead of native
    (1000, 1300, 1400, "open"),
])
def test_c5_has_one_outcome_for_each_point_of_the_curve(native, arm, today, word, loaded):
    found = answer("c5", loaded(curve({"native": (native, native), "retrofit": (arm, arm), "vmap": (5000, 5000), "xfs-today": (today, today)})))
    points = [p for p in found.points if "per fsync" in p.name]
    assert [p.word for p in points] == [word, word] and found.word == word
    assert "retrofit" in points[0].text and "emulated dram" in points[0].name


def test_c5_finds_the_crossover(loaded):
    found = answer("c5", loaded(curve({"native": (1000, 1000), "retrofit": (3000, 800), "xfs-today": (4000, 2000)})))
    assert found.word == "open" and any("from 64 operations per fsync on" in p.text for p in found.points)
    assert any("log-direct" in m for m in found.missing)


def test_c5_compares_at_equal_durability_only(loaded):
    maker = curve({"retrofit": (3000, 3000), "xfs-today": (4000, 4000)})
    maker.records += curve({"native": (1000, 1000)}, durability="op").records
    assert answer("c5", loaded(maker)).word == "not measured yet"
    maker = curve({"native": (1000, 1000), "retrofit": (3000, 3000), "xfs-today": (4000, 4000)})
    for record in maker.records:
        if record["engine"] == "retrofit":
            record["options"] = record["options"] | {"lsunit": "512"}
    assert answer("c5", loaded(maker)).word == "not measured yet"
