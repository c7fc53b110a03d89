"""C1: cached copies that are tracked and flushed at fsync, against stores past the cache."""
from __future__ import annotations

from .. import evidence
from ..load import Runs

CLAIM = evidence.claim("C1")
QUESTION = CLAIM["statement"]
NEEDS = "fsync_every with op=overwrite over sizes and overwrites per fsync, at write_path=cached-tracked and write_path=stream"


def answer(runs: Runs) -> evidence.Answer:
    spec = CLAIM["cells"]
    found, missing = evidence.cells(runs, spec["workload"], spec["params"])
    pairs = evidence.contrast(found, **spec["contrast"])
    points = []
    for medium in sorted({c["medium"] for c, _ in pairs}):
        here = [(c, b) for c, b in pairs if c["medium"] == medium]
        grid: dict[tuple, list] = {}
        for c, b in here:
            grid.setdefault(tuple(c["params"][axis] for axis in spec["grid"]), []).append((c, b))
        sped = []
        for place, these in sorted(grid.items()):
            candidate, baseline = evidence.levels(these, (medium, place))
            sped.append(evidence.quotient(baseline, candidate))
        clearly = sum(q.low >= CLAIM["upheld"]["speedup_at_least"] for q in sped)
        maybe = sum(q.high > CLAIM["refuted"]["speedup_above"] for q in sped)
        word = ("upheld" if clearly >= CLAIM["upheld"]["share_of_grid_at_least"] * len(sped) else
                "refuted" if maybe < CLAIM["refuted"]["share_of_grid_below"] * len(sped) else evidence.OPEN)
        points.append(evidence.Point(medium, word, f"at least {CLAIM['upheld']['speedup_at_least']:.2f} times as fast in {clearly} of "
                                     f"{len(sped)} points of the grid, possibly faster in {maybe}"))
        if word == evidence.OPEN:
            missing.append(f"{medium}: more processes where the interval crosses a threshold, or more of the grid "
                           f"({' x '.join(spec['grid'])})")
    if points:
        missing.append("open for media not measured")
    return evidence.conclude("C1", NEEDS, points, missing)
