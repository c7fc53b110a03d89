"""How much slower the accounted and traced twins are than the plain cells: what watching costs."""
from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from .. import style, tables
from ..load import Runs

QUESTION = "How much does watching change what is watched?"
ORDER = 60
LIMIT = 1.10    # the default probes are to stay within 10 % of plain


def _rows(runs: Runs):
    frame = runs.frame
    twins = frame[frame["kind"].isin(["accounted", "traced"]) & frame["overhead"].notna() & (frame["label"] == "")]
    if not len(twins):
        raise tables.NotInRun("needs accounted or traced twins")
    return pd.concat([tables.fair(rows)[0] for _, rows in twins.groupby(["kind", "fingerprint", "crossing"])])


def draw(runs: Runs) -> Figure:
    twins = _rows(runs)
    kinds = [k for k in ("accounted", "traced") if k in set(twins["kind"])]
    names = sorted(set(twins["workload"]))
    fig, axes = style.grid(len(kinds), columns=2, width=4.6, height=0.34 * len(names) + 1.0, sharey=True)
    among = style.ordered(twins["series"])
    for axis, kind in zip(axes, kinds):
        rows = twins[twins["kind"] == kind]
        offsets = np.linspace(-0.3, 0.3, len(among)) if len(among) > 1 else [0]
        for offset, series in zip(offsets, among):
            mine = rows[rows["series"] == series]
            look = style.line_look(series, among) | {"linestyle": ""}
            axis.plot(mine["overhead"], [names.index(w) + offset for w in mine["workload"]], **look, markersize=4.5)
        axis.axvline(1, color="#888888", linewidth=0.8)
        axis.axvline(LIMIT, color=style.RED, linewidth=0.8, linestyle=(0, (4, 3)))
        axis.annotate("+10 %", (LIMIT, 0), xycoords=("data", "axes fraction"), xytext=(2, 2), textcoords="offset points", fontsize=7,
                      color=style.RED, va="bottom")
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        high = float(rows["overhead"].max())
        if high > 3:
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5), numticks=20))
            axis.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
            axis.xaxis.set_minor_locator(NullLocator())
        axis.set(title={"accounted": "accounted: phase timers", "traced": "traced: eBPF probes"}[kind],
                 xlabel="time per operation, twin over plain", xlim=(min(0.9, float(rows["overhead"].min()) * 0.97), max(1.2, high * 1.05)))
    style.legend_below(fig, style.line_handles(among))
    style.title(fig, "What watching costs", runs, "a twin's time is never a result, only this ratio; all threads and crossings; on null the "
                "cost stands alone")
    return fig


def says(runs: Runs) -> str:
    told = []
    for kind, rows in _rows(runs).groupby("kind"):
        rows = rows[rows["engine"] != "null"]
        if len(rows):
            within = (rows["overhead"] <= LIMIT).mean()
            told.append(f"{100 * within:.0f} % of the {kind} twins are within 10 % of their plain cell (median {rows['overhead'].median():.2f})")
    return "; ".join(told).capitalize() + "." if told else "Only null was watched."
