"""p50 to p99.9 of the time of one operation."""
from __future__ import annotations

from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs

QUESTION = "How slow are the slow operations: what does the tail cost over the median?"
ORDER = 20
POINTS = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))


def single_thread(runs: Runs) -> list[tables.Panel]:
    """Panels narrowed to the fewest threads measured in each, with histograms."""
    out = []
    for panel in tables.panels(runs):
        cells = panel.cells[panel.cells["threads"] == panel.cells["threads"].min()]
        cells = tables.where(cells, (any(one and one["histogram"] for one in latency) for latency in cells["latency"]))
        if len(cells) and (panel.workload != "fsync_every" or panel.params.get("n") in ("1", "inf")):
            out.append(tables.Panel(panel.workload, panel.fingerprint, panel.crossing, panel.params, panel.name, cells, panel.left_out))
    if not out:
        raise tables.NotInRun("needs plain cells with latency histograms")
    return out


def draw(runs: Runs) -> Figure:
    found = single_thread(runs)
    fig, axes = style.grid(len(found), height=2.35)
    for axis, panel in zip(axes, found):
        names = style.ordered(panel.cells["series"])
        for _, cell in panel.cells.iterrows():
            histogram = tables.merged(runs, cell)
            axis.plot(range(len(POINTS)), [max(histogram.quantile(f), 1) for _, f in POINTS], **style.line_look(cell["series"], names))
        axis.set_yscale("log")
        axis.set_xticks(range(len(POINTS)), [p for p, _ in POINTS])
        style.time_axis(axis.yaxis, *axis.get_ylim())
        axis.set(title=panel.title)
        if axis.get_subplotspec().colspan.start == 0:
            axis.set_ylabel("time of one operation")
    style.legend_below(fig, style.line_handles(s for p in found for s in p.cells["series"]))
    style.title(fig, "Latency percentiles", runs, "; ".join(
        ["fewest threads of each workload, closed loop, all processes merged; null: the harness's own cost"] +
        ["fault_vs_write: its faults alone"] * any(p.workload == "fault_vs_write" for p in found) +
        sorted({t for p in found for t in p.left_out})))
    return fig


def says(runs: Runs) -> str:
    worst = (0.0, "", "", 0.0, 0.0)
    for panel in single_thread(runs):
        for _, cell in panel.cells[panel.cells["engine"] != "null"].iterrows():
            histogram = tables.merged(runs, cell)
            p50, p999 = histogram.quantile(0.5), histogram.quantile(0.999)
            if p50 > 0:
                worst = max(worst, (p999 / p50, cell["series"], panel.name, p50, p999))
    return (f"The longest tail is that of {worst[1]} on {worst[2]}: its p99.9 of {style.time_text(worst[4])} is {worst[0]:.1f} times "
            f"its median of {style.time_text(worst[3])}.")
