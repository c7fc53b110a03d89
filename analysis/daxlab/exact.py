"""Exact records: what was counted in the guest, per operation. Shared by the figures and sections about it."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from . import style, tables
from .load import Runs

KERNEL = ("ext4-dax", "xfs-dax")
# By workload: the parameter that says which operation it is, and how the operation is called for each of its values.
_CALLED = {
    ("fsync_every", "append"): "append + fsync", ("fsync_every", "overwrite"): "overwrite + fsync", ("fsync_every", "create"): "create + fsync(dir)",
    ("fsync_every", "unlink"): "unlink + fsync(dir)", ("fsync_every", "rename"): "rename + fsync(dir)",
    ("create_unlink", "create"): "create", ("create_unlink", "unlink"): "unlink", ("create_unlink", "pair"): "create and unlink",
    ("mmap_fault", "first"): "write fault, untouched", ("mmap_fault", "redirty"): "write fault, clean",
    ("mmap_fault", "hole"): "write fault in a hole",
}
_KEY = {"fsync_every": "op", "create_unlink": "phase", "mmap_fault": "touch"}
_ORDER = ("append", "overwrite", "read", "fsync_every", "mmap_fault", "create_unlink", "rename", "stat")


def operation(workload: str, params: dict[str, str]) -> str:
    """What one step does, as people say it."""
    kind = params.get(_KEY.get(workload, ""), "")
    name = _CALLED.get((workload, kind), workload)
    if workload == "fsync_every" and params.get("n", "1") != "1":
        name = name.replace(" + ", f", {params['n']} per ") if params["n"] != "inf" else name.split(" + ")[0] + ", never synced"
    writes_data = workload in ("append", "overwrite", "read") or kind in ("append", "overwrite")
    if writes_data and params.get("block_bytes"):
        size = params["block_bytes"]
        name = f"{size} B {name}" if size.isdigit() else f"{size[:-3]} {size[-3:]} {name}"
    if params.get("stride") == "2MiB":
        name += ", 2 MiB"
    return name


@dataclass(frozen=True)
class Operation:
    """The cells of one workload with one set of parameters, one row a series (mean over repetitions)."""

    name: str
    workload: str
    params: dict[str, str]
    cells: pd.DataFrame
    left_out: list[str] = field(default_factory=list)


def per_op(row: Any, counter: str) -> float:
    return float(row["counters"].get(counter, 0)) / float(row["ops"])


def instructions(row: Any) -> float:
    return per_op(row, "instructions_user") + per_op(row, "instructions_kernel")


def _merged(rows: pd.DataFrame) -> pd.DataFrame:
    """Repetitions of a cell have seeds of their own: counters and operations are added up, so that per_op() is their mean."""
    out = []
    for _, group in rows.groupby(["cell", "series"], sort=False):
        first = group.iloc[0].copy()
        sums: dict[str, int] = {}
        for counters in group["counters"]:
            for name, count in counters.items():
                sums[name] = sums.get(name, 0) + count
        first["counters"], first["ops"] = sums, group["ops"].sum()
        out.append(first)
    return pd.DataFrame(out, columns=rows.columns)


def operations(runs: Runs) -> list[Operation]:
    """Every operation that was counted, in an order of its own; raises NotInRun without exact records."""
    rows = runs.of("exact")
    if rows.empty:
        raise tables.NotInRun("needs cells of `daxlab exact`")
    tables.one_medium(runs)
    out = []
    for (workload, _), group in rows.groupby(["workload", "fingerprint"], sort=False):
        cells, left_out = tables.fair(_merged(group))
        if cells.empty:
            continue
        params = cells.iloc[0]["params"]
        out.append(Operation(operation(workload, params), workload, params, cells, left_out))
    names = [o.name for o in out]
    varying = tables.param_names(runs)
    named = [o if names.count(o.name) == 1 else
             Operation(o.name + " (" + ", ".join(f"{k}={o.params[k]}" for k in sorted(varying[o.workload]) if k in o.params and
                                                 k not in (_KEY.get(o.workload), "block_bytes")) + ")", o.workload, o.params, o.cells, o.left_out)
             for o in out]
    place = {workload: number for number, workload in enumerate(_ORDER)}
    return sorted(named, key=lambda o: (place.get(o.workload, len(place)), o.name))


def series(found: list[Operation]) -> list[str]:
    return style.ordered(name for o in found for name in o.cells["series"])


def by_series(found: Operation) -> dict[str, Any]:
    return {row["series"]: row for _, row in found.cells.iterrows()}
