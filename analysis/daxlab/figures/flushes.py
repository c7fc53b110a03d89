"""What an operation costs in lines written to the medium and in fences: exact counts, no timing."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .. import style, tables
from ..load import Runs

QUESTION = "How many cache lines and fences does each design spend on one operation?"
ORDER = 40


def _panels(runs: Runs) -> list[tables.Panel]:
    out = []
    for panel in tables.panels(runs):
        if panel.crossing != "none" or (panel.workload == "fsync_every" and panel.params.get("n") not in ("1", "64", "inf")):
            continue
        cells = panel.cells[panel.cells["threads"] == panel.cells["threads"].min()]
        if any(tables.per_op(c, k) > 0 for k in ("lines_flushed", "streamed_bytes", "fences") for _, c in cells.iterrows()):
            out.append(tables.Panel(panel.workload, panel.fingerprint, panel.crossing, panel.params, panel.name, cells, panel.left_out))
    if not out:
        raise tables.NotInRun("needs plain cells whose engine counts flushes and fences")
    return out


def _counts(cell) -> tuple[float, float, float]:
    return tuple(float(np.nan_to_num(tables.per_op(cell, k) / d)) for k, d in (("lines_flushed", 1), ("streamed_bytes", 64), ("fences", 1)))


def draw(runs: Runs) -> Figure:
    found = _panels(runs)
    most = max(len(set(p.cells["series"])) for p in found)
    fig, axes = style.grid(len(found), height=max(1.25, 0.21 * most + 0.8))
    for axis, panel in zip(axes, found):
        names = style.ordered(panel.cells["series"])
        counts = {c["series"]: _counts(c) for _, c in panel.cells.iterrows()}
        widest = max(1.0, max(f + s for f, s, _ in counts.values()))
        for row, series in enumerate(names):
            flushed, streamed, fences = counts[series]
            colour = style.look(series)[0]
            axis.barh(row, flushed, 0.7, color=colour)
            axis.barh(row, streamed, 0.7, left=flushed, color=style.tint(colour, 2))
            axis.annotate(f"{flushed:.3g} + {streamed:.3g}, {fences:.3g} fence{'' if fences == 1 else 's'}", (flushed + streamed, row),
                          xytext=(4, 0), textcoords="offset points", va="center", fontsize=7)
        style.label_bars_axis(axis, names)
        axis.set(xlim=(0, widest * 1.75), title=panel.title, xlabel="64-byte lines per operation")
    style.legend_below(fig, [Patch(color="#555555", label="flushed after cached stores"),
                             Patch(color=style.tint("#555555", 2), label="streamed past the cache")])
    style.title(fig, "Lines written and fences per operation", runs, "; ".join(
        ["counted in process, fewest threads; null writes nothing; an engine that leaves the media to the kernel counts 0"] +
        sorted({t for p in found for t in p.left_out})))
    return fig


def says(runs: Runs) -> str:
    most = max(((_counts(c)[2], c["series"], p.name) for p in _panels(runs) for _, c in p.cells.iterrows()), key=lambda item: item[0])
    return f"The most fences are those of {most[1]} on {most[2]}: {most[0]:.3g} per operation; counts do not depend on the medium's speed."
