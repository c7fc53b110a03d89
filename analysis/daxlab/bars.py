"""How good a native design must be to stand for its kind: bars registered before it was measured, and what a run found.

The bars: 4 KiB overwrite with atomic data, and append, beside the floor (4 KiB streamed and a fence); their tails; a line overwritten, beside
one persisted line; fences, lines, time and growth of names; mounts; the harness's own cost. A row is met, missed, or could not be told.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import micro, style, tables
from .load import Runs, fact, number_of_size

SLOW_NS = 20_000.0          # an operation above it is the tail's
NAMES = (("create_unlink", "create"), ("create_unlink", "unlink"), ("rename", ""))


@dataclass(frozen=True)
class Row:
    engine: str
    what: str
    bar: str
    found: str
    met: bool | None        # None: stated, there is no bar
    note: str = ""


def _cells(runs: Runs, workload: str, engine: str, **params: str) -> list[pd.Series]:
    """One-thread cells without system calls, by population (or file size) rising."""
    found = [c for p in tables.panels(runs, workload) if p.crossing == "none" and all(p.params.get(k) == v for k, v in params.items())
             for _, c in p.cells.iterrows() if c["series"] == engine and c["threads"] == 1]
    return sorted(found, key=lambda c: number_of_size(c["params"].get("population", c["params"].get("file_size", "0"))))


def _median(runs: Runs, cell: pd.Series) -> float:
    return tables.merged(runs, cell).quantile(0.5)


def slow_share(runs: Runs, cell: pd.Series) -> float:
    """The share of all time that is spent in operations above SLOW_NS."""
    histogram = tables.merged(runs, cell)
    time = histogram.values * histogram.counts
    return float(time[histogram.values > SLOW_NS].sum() / max(time.sum(), 1))


def _against(engine: str, what: str, value: float, floor: float, most: float, beside: str) -> Row:
    return Row(engine, what, f"≤ {most:g} × {beside} ({style.time_text(floor)})", f"{value / floor:.2f} × ({style.time_text(value)})", bool(value <= most * floor))


def _tails(runs: Runs, engine: str, cell: pd.Series, what: str) -> Row:
    null = _cells(runs, cell["workload"], "null", **{k: v for k, v in cell["params"].items() if k in ("block_bytes", "order", "file_size")})
    harness = slow_share(runs, null[-1]) if null else 0.0
    net = max(0.0, slow_share(runs, cell) - harness)
    histogram = tables.merged(runs, cell)
    worst = max((one["max"] for one in cell["latency"] if one), default=float("nan"))
    return Row(engine, f"{what}: time in operations above 20 µs, less that of null", "≤ 1 % of the time", f"{100 * net:.2f} %", bool(net <= 0.01),
               f"null {100 * harness:.2f} %; p99.9 {style.time_text(histogram.quantile(0.999))}, p99.99 {style.time_text(histogram.quantile(0.9999))}, "
               f"max {style.time_text(worst)}")


def _names(runs: Runs, engine: str, workload: str, phase: str, line_ns: float) -> list[Row]:
    cells = _cells(runs, workload, engine, **({"phase": phase} if phase else {}))
    if not cells:
        return []
    what = phase or workload
    first, last = cells[0], cells[-1]
    lines = max(tables.per_op(c, "lines_flushed") + tables.per_op(c, "streamed_bytes") / 64 for c in cells)
    fences = max(tables.per_op(c, "fences") for c in cells)
    rows = [Row(engine, f"{what}: fences and lines", "≤ 3 and ≤ 10", f"{fences:.2f} and {lines:.2f}", bool(fences <= 3 and lines <= 10))]
    rows.append(_against(engine, f"{what} among {first['params']['population']} names, median", _median(runs, first), lines * line_ns, 2.0,
                         f"{lines:.2f} persisted lines"))
    if len(cells) > 1:
        grown = _median(runs, last) / _median(runs, first)
        rows.append(Row(engine, f"{what}: {last['params']['population']} names against {first['params']['population']}, medians", "≤ 1.25 ×",
                        f"{grown:.2f} ×", bool(grown <= 1.25)))
    return rows


def _mounts(runs: Runs) -> list[Row]:
    found = micro.benchmarks(runs)
    rows = []
    for kind, text in (("clean", "after an unmount"), ("crash", "after a crash")):
        for files in (32_000, 1_000_000):
            one = found.get(f"mount/{kind}/{files}")
            if one is None:
                continue
            ns = one["ns"]
            rate = files / ns * 1e9
            what = f"mount, 1 000 random look-ups, first create, {text}, {style.number(files)} files"
            if kind == "crash" and files == 1_000_000:
                rows.append(Row("native", what, "≥ 1 M inodes/s", f"{rate / 1e6:.2f} M inodes/s ({style.time_text(ns)})", rate >= 1e6))
            elif kind == "clean" and files == 32_000:
                rows.append(Row("native", what, "≤ 50 ms", style.time_text(ns), ns <= 50e6))
            else:
                rows.append(Row("native", what, "stated", style.time_text(ns), None))
    return rows


def _writers(runs: Runs) -> list[Row]:
    one = micro.benchmarks(runs).get("two_writers")
    if one is None:
        return []
    return [Row("native", "two writers of disjoint halves of one file, their gain over one as a part of what two processes gain", "≥ 0.85 ×",
                f"{one['quotient']:.2f} ×", bool(one["quotient"] >= 0.85), f"file × {one['file_ratio']:.2f}, processes × {one['process_ratio']:.2f}")]


def _memory(runs: Runs) -> list[Row]:
    found = micro.benchmarks(runs)
    rows = []
    for name, counter, what in (("dram_bytes", "per_name", "a further name of a file"), ("dram_bytes", "per_file", "an empty file with its name"),
                                ("dram_bytes", "per_open", "an open inode, beside that"), ("dram_bytes", "per_file_of_a_block", "a first block and its log, beside that"),
                                ("mapped_gib", "dram_bytes_per_gib", "a GiB of a file that is mapped")):
        if counter in found.get(name, {}):
            rows.append(Row("native", f"memory of {what}", "stated", f"{found[name][counter]:,.0f} bytes", None))
    return rows


def _data(runs: Runs, engine: str, floor_ns: float, line_ns: float) -> list[Row]:
    rows = []
    for workload, params, most in (("overwrite", {"block_bytes": "4KiB", "order": "random", "sharing": "private"}, 1.6), ("append", {"block_bytes": "4KiB"}, 1.8)):
        cells = _cells(runs, workload, engine, **params)
        if cells:
            rows.append(_against(engine, f"4 KiB {workload}, median", _median(runs, cells[-1]), floor_ns, most, "floor"))
            rows.append(_tails(runs, engine, cells[-1], f"4 KiB {workload}"))
    cells = _cells(runs, "overwrite", engine, block_bytes="64B", order="random") or _cells(runs, "overwrite", engine, block_bytes="64", order="random")
    if cells:
        rows.append(_against(engine, "64 B overwrite made durable, median", _median(runs, cells[-1]), line_ns, 3.0, "one persisted line"))
    return rows


def rows_of(runs: Runs) -> list[Row]:
    """Every bar that this run can say something about; empty without native or the machine's floors."""
    floors = [(f, line) for e in runs.environments if (f := fact(e, "calibration.medium.stream_4k_fence.p50_ns")) and
              (line := fact(e, "calibration.medium.persist_line.p50_ns"))]
    if len(floors) != 1:
        return []
    floor_ns, line_ns = floors[0]
    rows = []
    for engine in ("native", "native-relaxed"):
        rows += _data(runs, engine, floor_ns, line_ns)
        for workload, phase in NAMES:
            rows += _names(runs, engine, workload, phase, line_ns)
    if not rows:
        return []
    rows += _mounts(runs) + _writers(runs) + _memory(runs)
    null = [c["ns"].mean for p in tables.panels(runs) if p.crossing == "none" for _, c in p.cells.iterrows() if c["engine"] == "null" and c["threads"] == 1]
    if null:
        rows.append(Row("null", "the harness's own cost of an operation, largest and median of its cells", "≤ 30 ns", f"{max(null):.3g} ns, {np.median(null):.3g} ns",
                        bool(max(null) <= 30)))
    return rows
