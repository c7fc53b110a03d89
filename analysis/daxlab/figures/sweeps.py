"""Time per operation over any numeric axis that was varied: size of a block, of a file, of a directory."""
from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs, number_of_size

QUESTION = "How does the cost of an operation grow with sizes and populations?"
ORDER = 36
AXES = {"population": "names in a directory", "block_bytes": "size of a write or read", "file_size": "size of a file", "faulters": "threads that fault",
        "writers": "threads that write"}
POINTS_MIN = 3


def _curves(runs: Runs) -> list[tuple[str, str, pd.DataFrame]]:
    """(title, axis, cells) of every workload that has one axis at three or more values and all else equal, at the fewest threads."""
    found = tables.panels(runs)
    out = []
    for axis in AXES:
        groups: dict[tuple, list[tables.Panel]] = {}
        for panel in found:
            if axis in panel.params:
                rest = tuple(sorted((k, v) for k, v in panel.params.items() if k != axis))
                groups.setdefault((panel.crossing, panel.workload, rest), []).append(panel)
        for (crossing, workload, rest), panels in sorted(groups.items()):
            if len(panels) >= POINTS_MIN:
                cells = pd.concat([p.cells for p in panels])
                cells = cells[cells["threads"] == cells["threads"].min()] if axis not in ("faulters", "writers") else cells
                tables.require_one_fingerprint(cells, free=(axis,))
                varying = tables.param_names(runs)[workload] - {axis}
                name = tables.cell_name(workload, dict(rest), varying) + tables.crossing_note(crossing, set(cells["engine"]))
                out.append((name, axis, cells.assign(at=[p[axis] for p in cells["params"]])))
    if not out:
        raise tables.NotInRun(f"needs a workload at {POINTS_MIN} or more values of one of {', '.join(AXES)}")
    return out


def draw(runs: Runs) -> Figure:
    found = _curves(runs)
    fig, axes = style.grid(len(found), columns=2, width=4.4, height=2.9)
    for axis, (name, swept, cells) in zip(axes, found):
        order = sorted(set(cells["at"]), key=number_of_size)
        names = style.ordered(cells["series"])
        ends = []
        for series in names:
            rows = cells[cells["series"] == series].set_index("at")
            at = [i for i, value in enumerate(order) if value in rows.index]
            ns = [rows.loc[order[i], "ns"] for i in at]
            style.intervals(axis, at, ns, **style.line_look(series, names))
            ends.append((at[-1], ns[-1].mean, series, style.look(series)[0]))
        axis.set_yscale("log")
        style.time_axis(axis.yaxis, *axis.get_ylim())
        axis.set_xticks(range(len(order)), order)
        axis.set(title=name, xlabel=AXES[swept], ylabel="time per operation, log scale", xlim=(-0.15, len(order) - 0.2))
        style.spread_labels(axis, ends, 2.0)
    style.title(fig, "Growth", runs, "fewest threads; whiskers: 95 % interval over processes; null: the harness's own cost")
    return fig


def says(runs: Runs) -> str:
    told = []
    for name, swept, cells in _curves(runs):
        ends = sorted(set(cells["at"]), key=number_of_size)
        grown = {}
        for series, rows in cells[cells["engine"] != "null"].groupby("series"):
            rows = rows.set_index("at")
            if ends[0] in rows.index and ends[-1] in rows.index:
                grown[series] = rows.loc[ends[-1], "ns"].mean / rows.loc[ends[0], "ns"].mean
        if grown:
            told.append(f"{name.splitlines()[0]}, {ends[0]} to {ends[-1]} {AXES[swept]}: " + ", ".join(f"{s} x {grown[s]:.2f}" for s in style.ordered(grown)))
    return "Growth of the time per operation: " + "; ".join(told) + "." if told else "No design was measured at both ends of a sweep."
