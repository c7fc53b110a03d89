"""C2: what handling discontiguous metadata and log buffers costs, by geometry."""
from __future__ import annotations

import pandas as pd

from .. import evidence
from ..load import Runs

CLAIM = evidence.claim("C2")
QUESTION = CLAIM["statement"]
NEEDS = "cells that differ in map=segment against map=contig alone, or in log_run alone, on the geometries that occur"


def _geometry(axis: str, candidate: pd.Series) -> str:
    """Where the blocks of the contrasted object lie: the option that places them, which the medium's own run stands in for."""
    return candidate["options"].get("log_run" if axis == "log_run" else "meta_run") or candidate["run_of_blocks"]


def answer(runs: Runs) -> evidence.Answer:
    spec = CLAIM["cells"]
    found, missing = evidence.cells(runs)
    by: dict[tuple[str, str], list] = {}
    for contrast in spec["contrasts"]:
        for pair in evidence.contrast(found, **contrast):
            geometry = _geometry(contrast["axis"], pair[0])
            if geometry in spec["geometries"]:
                by.setdefault((pair[0]["medium"], geometry), []).append((contrast["axis"], pair))
    points = []
    for medium in sorted({m for m, _ in by}):
        costs = {}
        for geometry in (g for m, g in by if m == medium):
            for axis in sorted({a for a, _ in by[medium, geometry]}):  # metadata and log each stand for themselves
                candidate, baseline = evidence.levels([p for a, p in by[medium, geometry] if a == axis], (medium, geometry, axis))
                costs[f"{geometry} ({axis})"] = evidence.quotient(candidate, baseline)
        absent = [g for g in spec["geometries"] if (medium, g) not in by]
        dear = [g for g, q in costs.items() if q.low - 1 >= CLAIM["upheld"]["cost_at_least"]]
        cheap = all(q.high - 1 <= CLAIM["refuted"]["cost_at_most"] for q in costs.values())
        word = "upheld" if dear else "refuted" if cheap and not absent else evidence.OPEN
        worst = max(costs, key=lambda g: costs[g].value)
        points.append(evidence.Point(medium, word, f"dearest at {worst}: time with over time without = {costs[worst]}; "
                                     f"{len(costs)} contrasts measured"))
        if word == evidence.OPEN and absent:
            missing.append(f"{medium}: geometries {', '.join(absent)}")
        elif word == evidence.OPEN:
            missing.append(f"{medium}: narrower intervals at {worst}")
    return evidence.conclude("C2", NEEDS, points, missing)
