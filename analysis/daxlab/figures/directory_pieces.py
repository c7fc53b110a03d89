"""Names in large directory blocks, by the number of pieces that a block lies in: what map=segment gathers and others have in one."""
from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs, number_of_size

QUESTION = "What do look-ups and inserts in a large directory block cost when the block lies in pieces?"
ORDER = 39
WORKLOADS = ("create_unlink", "stat")


def pieces(options: dict[str, str]) -> int:
    """In how many pieces a directory block lies at most."""
    run = options.get("meta_run", "linear")
    block = number_of_size(options["dirblock"])
    return 1 if run == "linear" else max(1, int(block // number_of_size(run)))


def _series(cell: pd.Series) -> str:
    options = cell["options"]
    return f"{cell['engine']}, {options['map']}" if options["meta"] == "overlay" else cell["engine"]


def _found(runs: Runs) -> list[tuple[tables.Panel, pd.DataFrame]]:
    found = []
    for workload in WORKLOADS:
        for panel in tables.panels(runs, workload):
            cells = tables.where(panel.cells, ("dirblock" in o and number_of_size(o["dirblock"]) > 4096 for o in panel.cells["options"]))
            cells = cells[cells["threads"] == cells["threads"].min()] if len(cells) else cells
            if not len(cells):
                continue
            cells = cells.assign(pieces=[pieces(o) for o in cells["options"]], line=[_series(c) for _, c in cells.iterrows()])
            if cells["pieces"].nunique() > 1:
                found.append((panel, cells))
    if not found:
        raise tables.NotInRun("needs create_unlink or stat with dirblock=64KiB at two or more values of meta_run: harness/retrofit.toml")
    return found


def draw(runs: Runs) -> Figure:
    found = _found(runs)
    fig, axes = style.grid(len(found), columns=2, width=4.4, height=3.0)
    for axis, (panel, cells) in zip(axes, found):
        ends, most = [], int(cells["pieces"].max())
        for line in style.ordered(cells["line"]):
            rows = cells[cells["line"] == line].sort_values("pieces")
            look = style.line_look(line.replace(",", ":", 1), [])
            ns = list(rows["ns"])
            style.intervals(axis, rows["pieces"], ns, **look)
            if len(rows) == 1:
                axis.plot([1, most], [ns[0].mean] * 2, color=look["color"], linestyle=":", linewidth=0.9)
            ends.append((most if len(rows) == 1 else int(rows["pieces"].iloc[-1]), ns[-1].mean, line, look["color"]))
        axis.set_xscale("log", base=2)
        ticks = sorted(set(cells["pieces"]))
        axis.set_xticks(ticks, [str(t) for t in ticks])
        axis.set(title=panel.title, xlabel="pieces of a directory block", ylabel="time per operation", ylim=(0, None))
        axis.yaxis.set_major_formatter(lambda v, _: style.time_text(v) if v else "0")
        style.spread_labels(axis, ends, 2.1)
    block = found[0][1].iloc[0]["options"]["dirblock"]
    style.title(fig, "Directory blocks in pieces", runs, f"null has no directory blocks; these are of {block}; dotted: an arm whose blocks are always in one piece; whiskers: "
                "95 % interval over processes")
    return fig


def says(runs: Runs) -> str:
    told = []
    for panel, cells in _found(runs):
        for line in style.ordered(cells["line"]):
            rows = cells[cells["line"] == line].sort_values("pieces")
            if len(rows) > 1:
                first, last = rows.iloc[0], rows.iloc[-1]
                told.append(f"{panel.name}, {line}: {style.time_text(first['ns'].mean)} in {first['pieces']}, "
                            f"{style.time_text(last['ns'].mean)} in {last['pieces']}")
    return "Time per operation by pieces of a block: " + "; ".join(told) + "."
