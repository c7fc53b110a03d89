"""Single-thread medians beside what the machine cannot go below: the streaming copy of a block, the harness, the kernel's tmpfs."""
from __future__ import annotations

from typing import Any

import pandas as pd

from .. import tables
from ..load import Runs, fact, number_of_size
from ..report import Report

TITLE = "Against this machine's floors"
ORDER = 35


def _cell(runs: Runs, workload: str, engine: str, crossing: str, **params: str) -> pd.Series | None:
    """The one-thread cell with these parameters; of several file sizes the largest, which is the least cached."""
    found = [c for p in tables.panels(runs, workload) if p.crossing == crossing and all(p.params.get(k) == v for k, v in params.items())
             for _, c in p.cells.iterrows() if c["series"] == engine and c["threads"] == 1]
    return max(found, key=lambda c: number_of_size(c["params"].get("file_size", "0")), default=None)


def _median(runs: Runs, cell: pd.Series) -> float | None:
    histogram = tables.merged(runs, cell)
    return histogram.quantile(0.5) if histogram.count else None


def rows_of(runs: Runs, floor_ns: float | None) -> list[dict[str, Any]]:
    out = []
    null = [c["ns"].mean for p in tables.panels(runs) if p.crossing == "none" for _, c in p.cells.iterrows()
            if c["engine"] == "null" and c["threads"] == 1]
    if null:
        out.append({"what": "null, any workload without system calls: the harness's own cost, largest", "time": max(null), "beside": None})
    for engine in ("native", "native-relaxed"):
        for workload, params in (("overwrite", {"block_bytes": "4KiB", "order": "random"}), ("append", {"block_bytes": "4KiB"})):
            cell = _cell(runs, workload, engine, "none", **params)
            if cell is not None and floor_ns and (median := _median(runs, cell)):
                size = cell["params"].get("file_size")
                out.append({"what": f"{engine}, {workload} 4 KiB{f' in {size}' if size else ''}, median", "time": median,
                            "beside": "streaming copy of 4 KiB and a fence", "floor": floor_ns})
        kernel = _cell(runs, "create_unlink", "posix", "syscall")
        mine = _cell(runs, "create_unlink", engine, "syscall", **kernel["params"]) if kernel is not None else None
        if mine is not None and kernel is not None and (a := _median(runs, mine)) and (b := _median(runs, kernel)):
            out.append({"what": f"{engine}, create and unlink with a system call, median", "time": a, "floor": b,
                        "beside": f"posix ({tables.NOT_LIKE_FOR_LIKE})"})
    return out


def body(report: Report) -> str | None:
    floors = [f for e in report.runs.environments if (f := fact(e, "calibration.medium.stream_4k_fence.p50_ns"))]
    groups = [(media, rows_of(report.runs.on(media), floors[0] if len(floors) == 1 else None)) for media in report.runs.media]
    groups = [(media, rows) for media, rows in groups if rows]
    return report.template("floors.html", groups=groups) if groups else None
