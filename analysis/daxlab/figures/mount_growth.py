"""How mounts, and names in one directory and in a tree, grow with the number of files: from the micro-benchmarks beside the records."""
from __future__ import annotations

from matplotlib.figure import Figure

from .. import micro, style, tables
from ..load import Runs

QUESTION = "How do the time of an operation on names, and of a mount, grow with the number of files, in one directory and in a tree?"
ORDER = 37
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
OPERATIONS = {"create_unlink": "create and unlink, one directory", "create_unlink_in_tree": "create and unlink, tree of 100 a directory",
              "rename_within": "rename, one directory"}
MOUNTS = {"mount/clean": "after an unmount, one directory", "mount/clean_tree": "after an unmount, tree", "mount/crash": "after a crash, one directory",
          "mount/crash_tree": "after a crash, tree"}


def curves(runs: Runs, wanted: dict[str, str], value: str) -> dict[str, list[tuple[int, float]]]:
    """By name for people: (files, ns) in rising order."""
    found: dict[str, list[tuple[int, float]]] = {}
    for name, row in micro.benchmarks(runs).items():
        stem, _, files = name.rpartition("/")
        if stem in wanted and files.isdigit():
            found.setdefault(wanted[stem], []).append((int(files), row[value]))
    return {name: sorted(found[name]) for name in wanted.values() if name in found}


def _panels(runs: Runs) -> list[tuple[str, str, dict[str, list[tuple[int, float]]]]]:
    panels = [("Names", "median time of an operation", curves(runs, OPERATIONS, "p50_ns")),
              ("Mount, 1 000 random look-ups, first create", "time", curves(runs, MOUNTS, "ns"))]
    if not all(found for _, _, found in panels):
        raise tables.NotInRun("needs micro.json beside the records: the JSON of `daxlab micro '^(mount|create_unlink|rename_within)'`")
    return panels


def draw(runs: Runs) -> Figure:
    panels = _panels(runs)
    fig, axes = style.grid(len(panels), columns=2, width=4.9, height=3.1)
    for axis, (title, label, found) in zip(axes, panels):
        low, high = min(ns for points in found.values() for _, ns in points), max(ns for points in found.values() for _, ns in points)
        axis.set_xscale("log")
        axis.set_yscale("log")
        for (name, points), colour, marker in zip(found.items(), COLOURS, "o^sD"):
            axis.plot([files for files, _ in points], [ns for _, ns in points], color=colour, marker=marker, label=name)
        axis.set_ylim(low / 2, high * 2)
        style.time_axis(axis.yaxis, low / 2, high * 2)
        axis.xaxis.set_major_formatter(lambda v, _: style.number(v))
        axis.set(title=title, xlabel="files", ylabel=f"{label}, log scale")
        axis.legend(fontsize=7)
    style.title(fig, "Growth of names and mounts", runs, "native, micro-benchmarks of the same machine; null has neither names nor mounts")
    return fig


def says(runs: Runs) -> str:
    told = []
    for _, _, found in _panels(runs):
        for name, points in found.items():
            (few, least), (many, most) = points[0], points[-1]
            told.append(f"{name}: {style.time_text(least)} at {style.number(few)} files, {style.time_text(most)} at {style.number(many)}")
    return "; ".join(told) + "."
