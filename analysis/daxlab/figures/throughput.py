"""Operations per second by workload, engine and threads."""
from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .. import style, tables
from ..load import Runs

QUESTION = "How many operations per second does each design reach, and how sure is that?"
ORDER = 10


def _panels(runs: Runs) -> list[tables.Panel]:
    found = tables.panels(runs)
    swept = {p.workload for p in found if p.workload == "fsync_every"} if sum(p.workload == "fsync_every" for p in found) > 2 else set()
    found = [p for p in found if p.workload not in swept]  # a sweep has its own figure
    if not found:
        raise tables.NotInRun("needs plain cells of an engine beside null")
    return found


def _bars(axis: Axes, panel: tables.Panel) -> None:
    names = style.ordered(panel.cells["series"])
    threads = sorted(set(panel.cells["threads"]))
    rates = {(c["series"], c["threads"]): tables.rate_summary(c) for _, c in panel.cells.iterrows()}
    scale, unit = (1e6, "million") if max(s.mean for k, s in rates.items() if k[0] != "null") >= 2e5 else (1e3, "thousand")
    edge = 1.22 * max(s.high for k, s in rates.items() if style.engine_of(k[0]) != "null") / scale
    height = 0.8 / len(threads)
    for row, series in enumerate(names):
        colour = style.look(series)[0]
        for step, count in enumerate(threads):
            if (series, count) not in rates:
                continue
            found, at = rates[series, count], row + (step - (len(threads) - 1) / 2) * height
            mean, cut = found.mean / scale, found.mean / scale > edge
            axis.barh(at, min(mean, edge), height * 0.9, color=style.tint(colour, step), hatch="////" if cut else None, edgecolor="white",
                      linewidth=0)
            if not cut:
                axis.errorbar(mean, at, xerr=[[mean - found.low / scale], [found.high / scale - mean]], color="#333333", elinewidth=0.9,
                              capsize=1.6, capthick=0.9)
            axis.annotate((f"{mean:,.0f}" if mean >= 1000 else f"{mean:.3g}") + (" (cut)" if cut else ""), (min(found.high / scale, edge), at), xytext=(-4 if cut else 3, 0),
                          textcoords="offset points", va="center", ha="right" if cut else "left", fontsize=6.8,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6} if cut else None)
    style.label_bars_axis(axis, names)
    axis.set(xlim=(0, edge), xlabel=f"{unit} operations per second", title=panel.title)


def draw(runs: Runs) -> Figure:
    found = _panels(runs)
    most = max(len(set(p.cells["series"])) * len(set(p.cells["threads"])) for p in found)
    fig, axes = style.grid(len(found), height=max(1.5, 0.135 * most + 0.85))
    threads = sorted({t for p in found for t in p.cells["threads"]})
    for axis, panel in zip(axes, found):
        _bars(axis, panel)
    if len(threads) > 1:
        style.legend_below(fig, [Patch(color=style.tint("#555555", i), label=f"{t} thread{'s' * (t > 1)}") for i, t in enumerate(threads)])
    note = "whiskers: 95 % interval over processes; null: the harness's own cost, its bar cut where it leaves the axis"
    style.title(fig, "Throughput", runs, "; ".join([note] + sorted({t for p in found for t in p.left_out})))
    return fig


def says(runs: Runs) -> str:
    parts, total = [], 0
    found = _panels(runs)
    crossing = "none" if any(p.crossing == "none" for p in found) else "syscall"
    for panel in (p for p in found if p.crossing == crossing):
        total += 1
        one = panel.cells[(panel.cells["threads"] == panel.cells["threads"].min()) & (panel.cells["engine"] != "null")]
        best = one.loc[one["ns"].map(lambda s: s.mean).idxmin()]
        rivals = one[(one["series"] != best["series"])]
        clear = all(best["ns"].high * 1.02 < r["ns"].low for _, r in rivals.iterrows())
        if len(rivals):
            parts.append((best["series"], clear, panel.workload))
    if not parts:
        return "Each workload was measured on one design alone, beside null."
    leaders: dict[str, list[str]] = {}
    for series, clear, workload in parts:
        if clear:
            leaders.setdefault(series, []).append(workload)
    if not leaders:
        return f"On none of the {total} workloads does one design lead beyond margin and noise at the fewest threads."
    told = "; ".join(f"{s} on {', '.join(dict.fromkeys(w))}" for s, w in sorted(leaders.items(), key=lambda i: style.rank(i[0])))
    how = "without system calls" if crossing == "none" else "with a system call in every operation"
    return (f"At the fewest threads and {how}, one design leads beyond margin and noise on "
            f"{sum(map(len, leaders.values()))} of {total} workloads: {told}.")
