"""What vm_map_ram() and vm_unmap_ram() cost a page: the kernel's counts, the model that charges them, and real page tables of a process."""
from __future__ import annotations

import json
from collections.abc import Iterator

from matplotlib.figure import Figure

from .. import InputError, micro, style, tables
from ..load import Runs
from ..stats import Summary, summary

QUESTION = "What does it cost to map and to unmap a page with others, by how many they are, when addresses are flushed, and by threads?"
ORDER = 40
STEM = "vmap/map/"
NS_PER_INSTRUCTION = 0.4  # engines/vmap/costs.h: assumed; the band is half to twice of it
ARMS = {"model/lazy": ("model, lazy", "#882255", "X"), "model/eager": ("model, eager", "#CC6677", "X"), "real/lazy": ("real tables, lazy", "#3A3A3A", "*"),
        "real/eager": ("real tables, eager", "#888888", "*"), "allocator/lazy": ("the model's allocator alone", "#44AA99", "d")}
KERNEL = ("kernel, counts × 0.4 ns", "#AA4499", ">")
PARTS = {"map": ("map, used tables", "map, fragmented window"), "unmap": ("unmap, fragmented window",)}


def kernel(runs: Runs) -> dict[str, dict[int, float]]:
    """Instructions a page of each call by pages, from `python3 -m guest.kernels vmap --out DIR/vmap.json`."""
    found: dict[str, dict[int, list[float]]] = {"map": {}, "unmap": {}}
    for folder in runs.folders:
        path = folder / "vmap.json"
        if not path.exists():
            continue
        try:
            for line in json.loads(path.read_text())["parts"].get("costs", []):
                for call, parts in PARTS.items():
                    if line["part"] in parts:
                        name = "vm_map_ram" if call == "map" else "vm_unmap_ram"
                        counts = [c["functions"][name] for c in line["classes"].values() if name in c.get("functions", {})]
                        calls = sum(c["calls"] for c in counts)
                        if calls:
                            found[call].setdefault(line["pages"], []).append(sum(c["instructions"] for c in counts) / calls / line["pages"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: is not what guest.kernels wrote: {error}") from None
    # The least of several windows: a purge falls on one of them.
    return {call: {pages: min(values) for pages, values in sorted(sizes.items())} for call, sizes in found.items()}


def curve(runs: Runs, arm: str, call: str, threads: int) -> dict[int, Summary]:
    """ns a page by pages of an object."""
    found = {}
    for name in micro.benchmarks(runs):
        if name.startswith(STEM + arm + "/") and name.endswith(f"/threads:{threads}"):
            pages = int(name.removeprefix(STEM + arm + "/").split("/")[0])
            values = [ns / pages for ns in micro.values(runs, name, f"{call}_ns")]
            if values and min(values) > 0:
                found[pages] = summary(values, seed=(arm, call, pages, threads))
    return dict(sorted(found.items()))


def _panels(runs: Runs) -> Iterator[tuple[str, int, str]]:
    for threads in (1, 2):
        for call in PARTS:
            if curve(runs, "model/lazy", call, threads):
                yield call, threads, f"{call}, {threads} thread{'s' if threads > 1 else ''}"


def _require(runs: Runs) -> list[tuple[str, int, str]]:
    panels = list(_panels(runs))
    if not panels:
        raise tables.NotInRun("needs micro.json beside the records: the JSON of `daxlab micro '^vmap/' --benchmark_repetitions=7`")
    return panels


def draw(runs: Runs) -> Figure:
    panels = _require(runs)
    fig, axes = style.grid(len(panels), columns=2, width=4.4, height=2.8, sharey=True)
    counted = kernel(runs)
    for axis, (call, threads, title) in zip(axes, panels):
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        if threads == 1 and counted[call]:  # the guest has one processor
            pages, ns = list(counted[call]), [i * NS_PER_INSTRUCTION for i in counted[call].values()]
            label, colour, marker = KERNEL
            axis.fill_between(pages, [v / 2 for v in ns], [v * 2 for v in ns], color=colour, alpha=0.15, linewidth=0)
            axis.plot(pages, ns, color=colour, marker=marker, label=label)
        for arm, (label, colour, marker) in ARMS.items():
            found = curve(runs, arm, call, threads)
            if found:
                style.intervals(axis, found, list(found.values()), color=colour, marker=marker, label=label)
        style.time_axis(axis.yaxis, *axis.get_ylim())
        ticks = sorted(curve(runs, "model/lazy", call, threads))
        axis.set_xticks(ticks, [str(t) for t in ticks])
        axis.set(title=title, xlabel="pages of an object", ylabel="time a page, log scale")
    style.legend_below(fig, axes[0].get_legend_handles_labels()[0], columns=4)
    style.title(fig, "Mapping pmem pages", runs, "null maps nothing; kernel: exact counts of Linux 6.1 times an assumed 0.4 ns, band half to twice; real page tables cost what "
                "mmap() costs and are no measure of vm_map_ram(); purges fall on unmaps; whiskers: 95 % interval over repetitions")
    return fig


def says(runs: Runs) -> str:
    told, counted = [], kernel(runs)
    for call, threads, title in _require(runs):
        for arm, (label, *_) in ARMS.items():
            found = curve(runs, arm, call, threads)
            if 16 in found:
                told.append(f"{title}, {label}: {style.time_text(found[16].mean)} a page at 16 pages")
        if threads == 1 and 16 in counted[call]:
            told.append(f"{title}, kernel: {counted[call][16]:.0f} instructions a page at 16 pages")
    return "; ".join(told) + "."
