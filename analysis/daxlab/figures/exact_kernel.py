"""Where a kernel DAX file system's instructions go, by part of the kernel."""
from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .. import exact, style, tables
from ..load import Runs

QUESTION = "Which parts of the kernel do the instructions of an operation on a DAX file system go to?"
ORDER = 21
GROUPS = {"log": "#D55E00", "file_system": "#AA4499", "dax_iomap": "#0072B2", "copy": "#56B4E9", "block_pmem": "#009E73", "scheduler": "#E69F00",
          "vfs": "#999933", "memory": "#882255", "locking": "#332288", "checksum": "#CC79A7", "entry": "#44AA99", "security": "#117733",
          "library": "#BBBBBB", "other": "#7F7F7F"}


def _operations(runs: Runs) -> list[exact.Operation]:
    found = [o for o in exact.operations(runs) if any(style.engine_of(s) in exact.KERNEL for s in o.cells["series"])]
    if not found:
        raise tables.NotInRun("needs cells of `daxlab exact --fs ext4-dax,xfs-dax`")
    return found


def shares(row) -> dict[str, float]:
    """By group: instructions per operation."""
    return {group: exact.per_op(row, f"kernel_{group}") for group in GROUPS}


def draw(runs: Runs) -> Figure:
    found = _operations(runs)
    names = [s for s in exact.series(found) if style.engine_of(s) in exact.KERNEL]
    fig, axes = style.grid(len(names), columns=2, width=5.2, height=0.24 * len(found) + 0.8)
    for axis, name in zip(axes, names):
        held = [(o.name, exact.by_series(o)[name]) for o in found if name in exact.by_series(o)]
        for place, (_, row) in enumerate(held):
            left = 0.0
            total = exact.per_op(row, "instructions_kernel") or 1.0
            for group, count in shares(row).items():
                axis.barh(place, count / total, 0.75, left=left, color=GROUPS[group])
                left += count / total
            axis.annotate(style.number(total), (1, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7, annotation_clip=False)
        axis.set_yticks(range(len(held)), [label for label, _ in held])
        axis.tick_params(axis="y", length=0, labelsize=7)
        axis.grid(axis="y", visible=False)
        axis.invert_yaxis()
        axis.set(xlim=(0, 1), title=name, xlabel="share of the instructions (right: all)")
        axis.xaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    style.legend_below(fig, [Patch(color=colour, label=group.replace("_", " ")) for group, colour in GROUPS.items()], columns=7)
    style.title(fig, "Kernel instructions by part", runs, "by function name and module; threads of the kernel that ran meanwhile are part of the operation")
    return fig


def says(runs: Runs) -> str:
    biggest = []
    for operation in _operations(runs):
        for name, row in exact.by_series(operation).items():
            if style.engine_of(name) in exact.KERNEL and "fsync" in operation.name:
                total = exact.per_op(row, "instructions_kernel") or 1.0
                group, count = max(shares(row).items(), key=lambda item: item[1])
                biggest.append((count / total, group, name, operation.name))
    if not biggest:
        return "No operation that ends in an fsync was counted on a kernel file system."
    share, group, name, what = max(biggest)
    return f"Among operations that end in an fsync, the most lopsided is {what} on {name}: {100 * share:.0f} % of its kernel instructions are {group.replace('_', ' ')}."
