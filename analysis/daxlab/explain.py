"""Where the time of an operation goes: the phases of accounted twins, against the time of the plain cells."""
from __future__ import annotations

import pandas as pd

from . import schema, tables
from .load import Runs
from .stats import without_label

RESIDUAL_LIMIT = 0.10   # a larger unexplained share is shown in red


def phases() -> list[str]:
    """The phases in the order of the schema, residual last."""
    return list(schema.descriptions("explain"))


def accounts(runs: Runs) -> pd.DataFrame:
    """One row for each accounted cell: identity, `ns` by phase per operation (a dict), `share` by phase, plain ns per operation."""
    plain = {cell: tables.geomean(rows["ns_per_op"]) for cell, rows in runs.plain.groupby("cell")}
    out = []
    for _, row in runs.of("accounted").iterrows():
        if not row["explain"] or row["label"]:
            continue
        per_op = {phase: row["explain"].get(phase, 0.0) / row["ops"] for phase in phases()}
        total = sum(per_op.values())
        if total <= 0:
            continue
        out.append({k: row[k] for k in ("workload", "fingerprint", "crossing", "threads", "series", "engine", "label", "params", "options",
                                        "overhead", "cell", "source", "media")}
                   | {"ns": per_op, "share": {p: v / total for p, v in per_op.items()}, "total": total,
                      "plain": plain.get(row["cell"], float("nan")), "what": without_label(row["options"])})
    return pd.DataFrame(out)


def unexplained(account: pd.Series) -> bool:
    return abs(account["share"]["residual"]) > RESIDUAL_LIMIT
