"""C4: whether log buffers can be mapped at the moment when the log is written and memory is short."""
from __future__ import annotations

from .. import evidence, tables
from ..load import Runs

CLAIM = evidence.claim("C4")
QUESTION = CLAIM["statement"]
NEEDS = "exact runs of map_at_log_write under memory pressure, with the window's page tables populated beforehand and not"


def answer(runs: Runs) -> evidence.Answer:
    spec = CLAIM["cells"]
    rows = runs.of(spec["kind"])
    rows = rows[rows["workload"] == spec["workload"]]
    rows = tables.where(rows, (all(p.get(k) == v for k, v in spec["params"].items()) for p in rows["params"]))
    names, axis = spec["counters"], spec["arms"]["axis"]
    arms = {}
    for value in spec["arms"]["values"]:
        mine = [c for c, p in zip(rows["counters"], rows["params"]) if p.get(axis) == value and c.get(names["attempts"])]
        if mine:
            arms[value] = tuple(sum(c.get(names[k], 0) for c in mine) for k in ("attempts", "failures", "waits"))
    if not arms:
        return evidence.conclude("C4", NEEDS, [], [])
    bad = sum(failures + waits for _, failures, waits in arms.values())
    absent = [v for v in spec["arms"]["values"] if v not in arms]
    word = ("upheld" if bad >= CLAIM["upheld"]["failures_or_waits_at_least"] else
            "refuted" if bad <= CLAIM["refuted"]["failures_or_waits_at_most"] and not absent else evidence.OPEN)
    text = "; ".join(f"{axis}={v}: {failures} failures and {waits} waits in {attempts} mappings" for v, (attempts, failures, waits) in
                     arms.items())
    return evidence.conclude("C4", NEEDS, [evidence.Point("the kernel in the guest", word, text)],
                             [f"{axis}={v}" for v in absent] if word == evidence.OPEN else [])
