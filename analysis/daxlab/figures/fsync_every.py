"""Time per operation over the number of operations between two fsyncs."""
from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs, number_of_size

QUESTION = "How does the cost of an operation fall when more of them share one fsync?"
ORDER = 35


def _curves(runs: Runs) -> list[tuple[str, str, pd.DataFrame, list[str]]]:
    """(name, crossing, cells with a column n) for each set of parameters that differs in n alone, at the fewest threads."""
    groups: dict[tuple, list[tables.Panel]] = {}
    for panel in tables.panels(runs, "fsync_every"):
        rest = tuple(sorted((k, v) for k, v in panel.params.items() if k != "n"))
        groups.setdefault((rest, panel.crossing), []).append(panel)
    out = []
    for (rest, crossing), found in sorted(groups.items()):
        cells = pd.concat([p.cells for p in found])
        cells = cells[cells["threads"] == cells["threads"].min()]
        tables.require_one_fingerprint(cells, free=("n",))
        cells = cells.assign(n=[p["n"] for p in cells["params"]])
        if cells["n"].nunique() > 1:
            params = dict(rest)
            name = params.get("op", "fsync_every") + tables.crossing_note(crossing, set(cells["engine"]))
            out.append((name, crossing, cells, sorted({t for p in found for t in p.left_out})))
    if not out:
        raise tables.NotInRun("needs fsync_every at two or more values of n")
    return out


def draw(runs: Runs) -> Figure:
    found = _curves(runs)
    fig, axes = style.grid(len(found), columns=2, width=4.4, height=3.1)
    for axis, (name, _, cells, _) in zip(axes, found):
        order = sorted(set(cells["n"]), key=number_of_size)
        names = style.ordered(cells["series"])
        ends = []
        for series in names:
            rows = cells[cells["series"] == series].set_index("n")
            at = [i for i, n in enumerate(order) if n in rows.index]
            ns = [rows.loc[order[i], "ns"] for i in at]
            style.intervals(axis, at, ns, **style.line_look(series, names))
            ends.append((at[-1], ns[-1].mean, series, style.look(series)[0]))
        axis.set_yscale("log")
        style.time_axis(axis.yaxis, *axis.get_ylim())
        axis.set_xticks(range(len(order)), ["∞" if n == "inf" else n for n in order])
        axis.set(title=name, xlabel="operations per fsync", ylabel="time per operation, log scale", xlim=(-0.15, len(order) - 0.2))
        style.spread_labels(axis, ends, 2.2)
    style.title(fig, "Operations that share one fsync", runs, "; ".join(
        ["fewest threads; whiskers: 95 % interval over processes; null: the harness's own cost"] +
        sorted({t for *_, left in found for t in left})))
    return fig


def says(runs: Runs) -> str:
    told, found = [], _curves(runs)
    bare = any(crossing == "none" for _, crossing, *_ in found)
    for name, crossing, cells, _ in found:
        if bare and crossing != "none":
            continue
        order = sorted(set(cells["n"]), key=number_of_size)
        for series in style.ordered(cells["series"]):
            rows = cells[cells["series"] == series].set_index("n")
            if series != "null" and order[0] in rows.index and order[-1] in rows.index:
                gain = rows.loc[order[0], "ns"].mean / rows.loc[order[-1], "ns"].mean
                told.append(f"{series} on {name.splitlines()[0]} {gain:.2f}")
    return "Time at the smallest n over time at the largest: " + ", ".join(told) + "." if told else "No design was measured at both ends."
