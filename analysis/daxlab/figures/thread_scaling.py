"""Throughput over threads."""
from __future__ import annotations

from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs

QUESTION = "Does a second thread do as much as the first?"
ORDER = 30


def _panels(runs: Runs) -> list[tables.Panel]:
    found = [p for p in tables.panels(runs) if p.cells["threads"].nunique() > 1]
    if not found:
        raise tables.NotInRun("needs one workload at two or more thread counts")
    return found


def _gains(panel: tables.Panel) -> dict[str, tuple[int, float]]:
    """By series: the largest thread count, and its throughput over that of the smallest, per thread."""
    gains = {}
    for series, cells in panel.cells.groupby("series"):
        cells = cells.sort_values("threads")
        if len(cells) > 1:
            few, many = cells.iloc[0], cells.iloc[-1]
            share = tables.geomean(many["rates"]) / tables.geomean(few["rates"]) * few["threads"] / many["threads"]
            gains[series] = (int(many["threads"]), share)
    return gains


def draw(runs: Runs) -> Figure:
    found = _panels(runs)
    fig, axes = style.grid(len(found), height=2.35)
    for axis, panel in zip(axes, found):
        names = style.ordered(panel.cells["series"])
        ends = []
        for series in names:
            cells = panel.cells[panel.cells["series"] == series].sort_values("threads")
            rates = [tables.rate_summary(cell) for _, cell in cells.iterrows()]
            first = rates[0].mean
            mid = [r.mean / first for r in rates]
            low, high = [r.low / first for r in rates], [r.high / first for r in rates]
            axis.errorbar(cells["threads"], mid, yerr=[[m - x for m, x in zip(mid, low)], [x - m for m, x in zip(mid, high)]],
                          capsize=2, elinewidth=0.9, **style.line_look(series, names))
            if len(mid) > 1:
                ends.append((cells["threads"].iloc[-1], mid[-1], f"{mid[-1]:.2f}", style.look(series)[0]))
        threads = sorted(set(panel.cells["threads"]))
        axis.plot(threads, [t / threads[0] for t in threads], color="#BBBBBB", linewidth=0.9, zorder=0)
        axis.annotate("ideal", (threads[-1], threads[-1] / threads[0]), xytext=(-4, 3), textcoords="offset points", ha="right", fontsize=7,
                      color="#888888")
        axis.set_xticks(threads)
        axis.set(title=panel.title, xlabel="threads", ylim=(0, None), xlim=(threads[0] - 0.1, threads[-1] + 0.22 * (threads[-1] - threads[0])))
        if len(ends) > 4:  # the strongest and the weakest design tell the range
            designs = sorted((e for e in ends if e[3] != style.look("null")[0]), key=lambda e: e[1])
            ends = [designs[0], designs[-1]]
        style.spread_labels(axis, ends, 1.5)
        if axis.get_subplotspec().colspan.start == 0:
            axis.set_ylabel(f"throughput, {threads[0]} thread = 1")
    style.legend_below(fig, style.line_handles(s for p in found for s in p.cells["series"]))
    style.title(fig, "Scaling with threads", runs, "; ".join(
        ["each design against itself at the fewest threads; whiskers: 95 % interval over processes; null: what the harness and the machine "
         "let through"] + sorted({t for p in found for t in p.left_out})))
    return fig


def says(runs: Runs) -> str:
    worst = None
    for panel in _panels(runs):
        for series, (threads, share) in _gains(panel).items():
            if series != "null" and (worst is None or share < worst[0]):
                worst = (share, series, panel.name, threads)
    if worst is None:
        return "No design was measured at more than one thread count."
    return (f"The weakest scaling is that of {worst[1]} on {worst[2]}: {worst[3]} threads reach {100 * worst[0]:.0f} % of {worst[3]} times "
            "the throughput of one.")
