"""Where the time of an operation goes, by phase, as shares of the accounted twin's time."""
from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .. import explain as account
from .. import style, tables
from ..load import Runs

QUESTION = "Where does the time of an operation go, and how much of it is unexplained?"
ORDER = 45
COLOURS = {"copy": "#0072B2", "flush": "#E69F00", "fence": "#D55E00", "log_format": "#CC79A7", "log_write": "#882255", "crc": "#F0E442",
           "map": "#44AA99", "fault": "#009E73", "lock_wait": "#332288", "index": "#56B4E9", "harness": "#9A9A9A", "residual": "#EDEDED"}


def _groups(runs: Runs) -> list[tuple[str, object]]:
    rows = account.accounts(runs)
    if not len(rows):
        raise tables.NotInRun("needs accounted twins")
    varying = tables.param_names(runs)
    groups = []
    for (workload, _), cells in rows[rows["crossing"] == "none"].groupby(["workload", "fingerprint"], sort=True):
        cells, _ = tables.fair(cells[cells["threads"] == cells["threads"].min()])
        params = cells.iloc[0]["params"] if len(cells) else {}
        if len(cells) and set(cells["engine"]) != {"null"} and (workload != "fsync_every" or params.get("n") in ("1", "64", "inf")):
            groups.append((tables.cell_name(workload, params, varying[workload]), cells))
    if not groups:
        raise tables.NotInRun("needs accounted twins without system calls")
    return groups


def draw(runs: Runs) -> Figure:
    groups = _groups(runs)
    most = max(len(cells) for _, cells in groups)
    fig, axes = style.grid(len(groups), height=max(1.25, 0.22 * most + 0.75))
    used = set()
    for axis, (name, cells) in zip(axes, groups):
        by_series = {c["series"]: c for _, c in cells.iterrows()}
        names = style.ordered(by_series)
        for row, series in enumerate(names):
            cell, left = by_series[series], 0.0
            for phase in account.phases():
                share = max(0.0, cell["share"][phase]) * 100
                if share < 0.05:
                    continue
                used.add(phase)
                red = phase == "residual" and account.unexplained(cell)
                axis.barh(row, share, 0.72, left=left, color=style.RED if red else COLOURS.get(phase, "#777777"), edgecolor="white",
                          linewidth=0.4)
                if phase == "residual" and share > 8:
                    axis.annotate(f"{share:.0f} %", (left + share / 2, row), ha="center", va="center", fontsize=6.5,
                                  color="white" if red else "#555555")
                left += share
            axis.annotate(f"plain {style.time_text(cell['plain'])}", (101, row), va="center", fontsize=6.8, annotation_clip=False)
        style.label_bars_axis(axis, names)
        axis.set(xlim=(0, 132), title=name, xlabel="share of accounted time (%)")
        axis.set_xticks([0, 25, 50, 75, 100])
    handles = [Patch(facecolor=COLOURS.get(p, "#777777"), label=p.replace("_", " "), edgecolor="#BBBBBB", linewidth=0.4)
               for p in account.phases() if p in used]
    style.legend_below(fig, handles + [Patch(facecolor=style.RED, label="residual > 10 %")], columns=7)
    style.title(fig, "Where the time goes", runs, "phase timers of accounted twins, each phase by itself; fewest threads; the number at "
                "the right is the plain cell's time per operation")
    return fig


def says(runs: Runs) -> str:
    cells = [c for _, group in _groups(runs) for _, c in group.iterrows() if c["engine"] != "null"]
    bad = [c for c in cells if account.unexplained(c)]
    if not bad:
        worst = max(abs(c["share"]["residual"]) for c in cells) if cells else 0.0
        return f"Every one of the {len(cells)} accounts adds up: at most {100 * worst:.0f} % of the time is unexplained."
    worst = max(bad, key=lambda c: abs(c["share"]["residual"]))
    return (f"{len(bad)} of {len(cells)} accounts leave more than 10 % unexplained; the worst is {worst['series']} on {worst['workload']} "
            f"with {100 * worst['share']['residual']:.0f} %.")
