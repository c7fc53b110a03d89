"""Kernel DAX file systems beside engines, counted exactly in the guest: instructions, fences, flushed lines, NVDIMM bytes."""
from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .. import exact, style
from ..load import Runs

QUESTION = "How many instructions, fences, flushed lines and NVDIMM bytes does one operation take, in real kernel DAX file systems and in engines?"
ORDER = 20


# Right ends of the columns beside the bars, as parts of the axis' width; the bars have what is left of them.
COLUMNS = (("instr.", 0.56, exact.instructions), ("fences", 0.70, lambda row: exact.per_op(row, "fences")),
           ("lines", 0.84, lambda row: exact.per_op(row, "clwb")), ("bytes", 1.0, lambda row: exact.per_op(row, "nvdimm_bytes_written")))
BARS = 0.4


def _write_columns(axis, rows, names) -> None:
    for head, right, value in COLUMNS:
        place = axis.get_yaxis_transform()
        axis.text(right, -0.75, head, transform=place, ha="right", va="center", fontsize=6.5, color="#59636e")
        for number, name in enumerate(names):
            axis.text(right, number, style.number(value(rows[name])), transform=place, ha="right", va="center", fontsize=6.5)


def draw(runs: Runs) -> Figure:
    found = exact.operations(runs)
    most = max(len(o.cells) for o in found)
    fig, axes = style.grid(len(found), height=max(1.2, 0.19 * most + 0.72))
    for axis, operation in zip(axes, found):
        rows = exact.by_series(operation)
        names = style.ordered(rows)
        widest = max(exact.instructions(row) for row in rows.values())
        for place, name in enumerate(names):
            colour = style.look(name)[0]
            user, kernel = (exact.per_op(rows[name], k) for k in ("instructions_user", "instructions_kernel"))
            axis.barh(place, user, 0.7, color=style.tint(colour, 2))
            axis.barh(place, kernel, 0.7, left=user, color=colour)
        style.label_bars_axis(axis, names)
        _write_columns(axis, rows, names)
        axis.set(xlim=(0, widest / BARS), ylim=(len(names) - 0.4, -1.2), title=operation.name, xlabel="instructions per operation")
        axis.xaxis.set_major_formatter(lambda v, _: style.number(v))
        axis.set_xticks([0, widest / 2, widest])
    style.legend_below(fig, [Patch(color="#555555", label="in the kernel"), Patch(color=style.tint("#555555", 2), label="in the process")])
    style.title(fig, "Instructions, fences, flushed lines and NVDIMM bytes per operation", runs, "; ".join(
        ["columns: instructions, fences, lines flushed, bytes stored to the NVDIMM; exact counts and no time: a cache miss costs nothing here", *sorted({text for o in found for text in o.left_out})]))
    return fig


def says(runs: Runs) -> str:
    ratios = []
    for operation in exact.operations(runs):
        rows = exact.by_series(operation)
        kernels = [exact.instructions(r) for n, r in rows.items() if style.engine_of(n) in exact.KERNEL]
        engines = [exact.instructions(r) for n, r in rows.items() if style.engine_of(n) not in (*exact.KERNEL, "null")]
        if kernels and engines and min(engines) > 0:
            ratios.append((min(kernels) / min(engines), operation.name))
    if not ratios:
        return "The counts are exact and repeat to the bit; no operation was counted on both a kernel file system and an engine."
    least, most = min(ratios), max(ratios)
    return (f"The leanest kernel file system executes between {least[0]:.2g} ({least[1]}) and {most[0]:.3g} times ({most[1]}) the instructions of the "
            "leanest engine; engines enter no kernel, and instructions price a cache miss at nothing.")
