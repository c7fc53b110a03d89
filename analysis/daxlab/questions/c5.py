"""C5: native against the fastest retrofit arm and the XFS of today, over the number of operations per fsync."""
from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .. import evidence, stats, tables
from ..load import Runs, number_of_size

CLAIM = evidence.claim("C5")
QUESTION = CLAIM["statement"]
NEEDS = "fsync_every over n = 1, 4, 16, 64, inf on native, xfs-today and the retrofit arms, at equal durability, rounding and hand-offs"


def _comparable(here: pd.DataFrame) -> dict[tuple, dict[str, np.ndarray]]:
    """By (what was done, threads, the options that must be equal): time per operation of each engine there. Native joins by
    durability alone, because it has none of the core's other options."""
    spec = CLAIM["cells"]
    core = spec["equal"]
    places: dict[tuple, dict[str, np.ndarray]] = {}
    for cell in here.itertuples():
        if cell.engine in (spec["baseline"], *spec["arms"]) and not any(cell.options.get(k) == v for k, v in spec["never_an_arm"].items()):
            place = (cell.fingerprint, cell.threads, tuple(cell.options.get(k) for k in core))
            places.setdefault(place, {}).setdefault(cell.engine, cell.values)
    for place, engines in places.items():
        natives = [c for c in here.itertuples() if c.engine == spec["native"] and c.fingerprint == place[0] and c.threads == place[1]
                   and c.options.get("durability") == place[2][core.index("durability")] and c.options.get("dirs") != "xfslike"]
        if natives:
            engines[spec["native"]] = min(natives, key=lambda c: len(c.series)).values
    return places


def _outcome(times: dict[str, evidence.Level]) -> tuple[str, str, str]:
    """(word, text, fastest arm) of one point."""
    spec = CLAIM["cells"]
    native, base = times[spec["native"]], times[spec["baseline"]]
    fastest = min((a for a in spec["arms"] if a in times), key=lambda a: times[a].log)
    arm = times[fastest]
    speed = evidence.quotient(arm, native)
    distance = np.exp(base.spread) - np.exp(native.spread)
    gained = np.exp(base.spread) - np.exp(arm.spread)
    share = np.where(distance > 0, gained / np.where(distance > 0, distance, 1), np.inf)
    tail = stats.tail_share(min(t.processes for t in (native, base, arm)), evidence.registration()["confidence"])
    recovered = float(np.quantile(share, 1 - tail))
    middle = (base.time - arm.time) / (base.time - native.time) if base.time > native.time else float("inf")
    upheld = speed.low >= CLAIM["upheld"]["speedup_at_least"] and recovered < CLAIM["upheld"]["and_recovered_below"]
    refuted = speed.high - 1 <= CLAIM["refuted"]["cost_at_most"]
    word = "upheld" if upheld else "refuted" if refuted else evidence.OPEN
    part = (f"it recovers {100 * middle:.0f} % of the distance from {spec['baseline']}" if np.isfinite(middle) else
            f"native is not faster than {spec['baseline']}")
    return word, f"time of the fastest arm ({fastest}) over native {speed}; {part}", fastest


def answer(runs: Runs) -> evidence.Answer:
    spec = CLAIM["cells"]
    found, missing = evidence.cells(runs, spec["workload"])
    found = tables.where(found, (p.get("op") in spec["ops"] and c == "none" for p, c in zip(found["params"], found["crossing"])))
    points, ahead = [], {}
    media = sorted({m for m in found["medium"]})
    for medium in media:
        on = found[found["medium"] == medium]
        arms = [a for a in spec["arms"] if a in set(on["engine"])]
        for n in spec["curve"]["values"]:
            here = tables.where(on, (p[spec["curve"]["axis"]] == n for p in on["params"]))
            want = [spec["native"], spec["baseline"], *arms]
            whole = {k: v for k, v in _comparable(here).items() if arms and all(e in v for e in want)}
            name = f"{'∞' if n == 'inf' else n} operations per fsync, {medium}"
            if not whole:
                missing.append(f"{name}: native, {spec['baseline']} and a retrofit arm at equal {', '.join(spec['equal'])}")
                continue
            times: dict[str, Any] = {e: evidence.Level.of([v[e] for v in whole.values()], (name, e)) for e in want}
            word, text, fastest = _outcome(times)
            points.append(evidence.Point(name, word, text))
            ahead.setdefault(medium, []).append((number_of_size(n), n, times[fastest].log < times[spec["native"]].log))
        absent = [a for a in spec["arms"] if a not in arms]
        if absent and ahead.get(medium):
            missing.append(f"{medium}: arms {', '.join(absent)}")
    for medium, curve in ahead.items():
        first = next((n for _, n, arm_ahead in sorted(curve) if arm_ahead), None)
        points.append(evidence.Point(f"crossover, {medium}", evidence.unanimous([p for p in points if p.name.endswith(medium)]),
                                     f"the fastest arm is ahead of native from {'∞' if first == 'inf' else first} operations per fsync on"
                                     if first else "native is ahead of every arm at every number of operations per fsync measured"))
    return evidence.conclude("C5", NEEDS, points, missing if points or spec["baseline"] in set(found["engine"]) else [])
