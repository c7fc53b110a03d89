"""What forcing one checkpoint costs, by its size and by how the log lies on the medium: from the micro-benchmarks beside the records."""
from __future__ import annotations

from matplotlib.figure import Figure

from .. import micro, style, tables
from ..load import Runs
from ..stats import Ratio, Summary, ratio, summary

QUESTION = "What does a forced commit cost by the size of its checkpoint, by placement, record format, and how the log lies on the medium?"
ORDER = 38
STEM = "retrofit/log/force/"
GEOMETRIES = ("linear", "stripe256KiB", "stripe64KiB", "hole", "scatter4KiB")
ADVERSARIAL = "scatter4KiB"
ARMS = {"buffered_v2": ("log=buffered, v2", "#D55E00", "s", "-"), "direct_v2": ("log=direct, v2", "#E69F00", "D", "-"),
        "buffered_v3": ("log=buffered, v3", "#D55E00", "s", (0, (4, 1.5))), "direct_v3": ("log=direct, v3", "#009E73", "P", (0, (4, 1.5)))}


def points(runs: Runs) -> dict[str, dict[int, dict[str, list[float]]]]:
    """By geometry and bytes of the checkpoint: of each arm the median time of a force, ns, a value a repetition."""
    found: dict[str, dict[int, dict[str, list[float]]]] = {}
    for name in micro.benchmarks(runs):
        if name.startswith(STEM):
            geometry, size = name.removeprefix(STEM).split("/")
            found.setdefault(geometry, {})[int(size)] = {arm: micro.values(runs, name, f"{arm}_p50_ns") for arm in ARMS}
    if not found:
        raise tables.NotInRun("needs micro.json beside the records: the JSON of `daxlab micro '^retrofit/log/force' --benchmark_repetitions=7`")
    return {g: dict(sorted(found[g].items())) for g in GEOMETRIES if g in found}


def contrasts(sizes: dict[int, dict[str, list[float]]], form: str) -> dict[int, Ratio]:
    """Direct over buffered, by bytes of the checkpoint."""
    return {size: ratio(arms[f"buffered_{form}"], arms[f"direct_{form}"], seed=(size, form)) for size, arms in sizes.items()}


def _bars(axis, sizes: dict[int, dict[str, list[float]]]) -> None:
    for arm, (label, colour, marker, dash) in ARMS.items():
        per_kib: list[Summary] = [summary([ns / (size / 1024) for ns in arms[arm]], seed=(arm, size)) for size, arms in sizes.items()]
        style.intervals(axis, sizes, per_kib, color=colour, marker=marker, linestyle=dash, label=label,
                        markerfacecolor=colour if dash == "-" else "white")


def draw(runs: Runs) -> Figure:
    found = points(runs)
    fig, axes = style.grid(len(found), columns=3, width=3.6, height=2.8, sharey=True)
    for axis, (geometry, sizes) in zip(axes, found.items()):
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        _bars(axis, sizes)
        style.time_axis(axis.yaxis, *axis.get_ylim())
        axis.set_xticks(list(sizes), [_size(size) for size in sizes])
        axis.set(title=geometry + (" (adversarial)" if geometry == ADVERSARIAL else ""), xlabel="checkpoint")
    axes[0].set_ylabel("time of a force for each KiB, log scale")
    style.legend_below(fig, axes[0].get_legend_handles_labels()[0], columns=4)
    style.title(fig, "Cost of a forced commit", runs, "null has no log; all in one thread, no hand-off; lsunit 4 KiB; regions of 128 B; median of a process's forces, "
                "whiskers: 95 % interval over repetitions")
    return fig


def _size(size: int) -> str:
    return f"{size // 1024} KiB" if size < 1 << 20 else f"{size >> 20} MiB"


def says(runs: Runs) -> str:
    told = []
    for geometry, sizes in points(runs).items():
        for form in ("v2", "v3"):
            each = ", ".join(f"{r.text} at {_size(size)}" for size, r in contrasts(sizes, form).items())
            told.append(f"{geometry}, {form}: {each}")
    return "Time of direct over buffered: " + "; ".join(told) + "."
