"""The whole distribution of the time of one operation, on an axis of nines."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs
from .latency_percentiles import single_thread

QUESTION = "What does the whole distribution of operation times look like, from the fastest to the last in 100 000?"
ORDER = 21
_NINES = ((0.0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %"), (0.99999, "99.999 %"))


def _height(share: np.ndarray) -> np.ndarray:
    return -np.log10(np.maximum(1 - share, 1e-5))


def _panels(runs: Runs) -> list[tables.Panel]:
    """The panels without system calls; all, where there are no others."""
    found = single_thread(runs)
    return [p for p in found if p.crossing == "none"] or found


def draw(runs: Runs) -> Figure:
    found = _panels(runs)
    fig, axes = style.grid(len(found), height=2.35)
    for axis, panel in zip(axes, found):
        names = style.ordered(panel.cells["series"])
        top = 0.0
        for _, cell in panel.cells.iterrows():
            values, share = tables.merged(runs, cell).cumulative()
            look = style.line_look(cell["series"], names) | {"linestyle": "-"}
            height = _height(np.minimum(share, 1 - 1 / max(2, tables.merged(runs, cell).count)))
            keep = np.unique(np.searchsorted(height, np.linspace(0, height[-1], 220)).clip(0, height.size - 1))
            marks = np.searchsorted(height[keep], _height(np.array([0.5, 0.9, 0.99, 0.999]))).clip(0, keep.size - 1)
            axis.plot(np.maximum(values[keep], 1), height[keep], drawstyle="steps-post", markevery=list(np.unique(marks)), **look)
            top = max(top, float(height[-1]))
        ticks = [(float(_height(np.array([share]))[0]), text) for share, text in _NINES]
        ticks = [(at, text) for at, text in ticks if at <= top + 1e-9]
        axis.set_yticks([at for at, _ in ticks], [text for _, text in ticks])
        axis.set_xscale("log")
        style.time_axis(axis.xaxis, *axis.get_xlim())
        axis.set(title=panel.title, xlabel="time of one operation", ylim=(0, None))
        if axis.get_subplotspec().colspan.start == 0:
            axis.set_ylabel("operations done by then")
    style.legend_below(fig, style.line_handles(s for p in found for s in p.cells["series"]))
    style.title(fig, "Latency, cumulative", runs, "; ".join(
        ["fewest threads of each workload, closed loop; each step upwards is another nine"] +
        sorted({t for p in found for t in p.left_out})))
    return fig


def says(runs: Runs) -> str:
    slow = total = 0
    for panel in _panels(runs):
        for _, cell in panel.cells[panel.cells["engine"] != "null"].iterrows():
            histogram = tables.merged(runs, cell)
            slow += int(histogram.counts[histogram.values > 20_000].sum())
            total += histogram.count
    return f"Of {style.number(total)} timed operations of all designs, {100 * slow / max(total, 1):.3f} % took longer than 20 µs."
