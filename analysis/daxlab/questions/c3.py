"""C3: which share of the pages of a device ever holds metadata."""
from __future__ import annotations

from .. import evidence
from ..load import Runs

CLAIM = evidence.claim("C3")
QUESTION = CLAIM["statement"]
NEEDS = "workload tree (real trees copied onto an engine) with the counters metadata_pages and device_pages"


def answer(runs: Runs) -> evidence.Answer:
    spec = CLAIM["cells"]
    rows = runs.plain[runs.plain["workload"] == spec["workload"]]
    part, whole = spec["counters"]["part"], spec["counters"]["whole"]
    shares: dict[str, float] = {}
    for row in rows.itertuples():
        if row.counters.get(whole):
            tree = f"{row.params.get('tree', 'unnamed tree')} on {row.series}"
            shares[tree] = max(shares.get(tree, 0.0), row.counters.get(part, 0) / row.counters[whole])
    if not shares:
        return evidence.conclude("C3", NEEDS, [], [])
    high = CLAIM["refuted"]["share_at_least"]
    word = ("upheld" if all(s < CLAIM["upheld"]["share_below"] for s in shares.values()) else
            "refuted" if any(s >= high for s in shares.values()) else evidence.OPEN)
    worst = max(shares, key=lambda t: shares[t])
    point = evidence.Point("all trees measured", word, f"largest share of pages that ever held metadata: {100 * shares[worst]:.2f} % "
                           f"({worst}), of {len(shares)} trees")
    missing = [f"a tree whose share is below {100 * CLAIM['upheld']['share_below']:.0f} % everywhere or at least {100 * high:.0f} % on one"] \
        if word == evidence.OPEN else []
    return evidence.conclude("C3", NEEDS, [point], missing)
