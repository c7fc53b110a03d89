"""One factor at a time: what changing one option of the XFS-like core does to the time of an operation, with all else equal."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import pandas as pd
from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs
from ..stats import Ratio, ratio

QUESTION = "What does each part of a retrofit change on its own, and does that depend on the other parts?"
ORDER = 36
CORE = ("xfs-today", "log-direct", "contig", "retrofit", "vmap")
# Of each factor the value it is compared with, then the others. A hand-off is two options that only make sense together.
FACTORS: dict[str, tuple[str, ...]] = {"log": ("buffered", "direct", "premap", "at-write"), "format": ("v2", "v3"), "meta": ("buffer", "overlay"),
                                       "map": ("contig", "segment", "vmap-model"), "hand-offs": ("worker", "inline")}
COLOURS = {"log": "#E69F00", "format": "#0072B2", "meta": "#CC79A7", "map": "#009E73", "hand-offs": "#882255"}
NEEDED = {"pages"}  # what log=premap and map=vmap-* cannot be without, and no factor of its own beside them


@dataclass(frozen=True)
class Contrast:
    factor: str
    old: str
    new: str
    rest: str
    ratio: Ratio


def levels(options: dict[str, str]) -> dict[str, str]:
    """The factors' values of a cell; none where push and completion are mixed."""
    push, completion = options.get("push", ""), options.get("completion", "")
    if options.get("background") == "inline":
        push = completion = "inline"
    return {f: options.get(f, "") for f in FACTORS if f != "hand-offs"} | {"hand-offs": push if push == completion else ""}


def _others(options: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in options.items() if k not in FACTORS and k not in NEEDED | {"label", "push", "completion", "background"}))


def of_panel(panel: tables.Panel) -> Iterator[Contrast]:
    """Every pair of cells of the core that differs in one factor: the candidate's time over that of the factor's first value."""
    cells = [c for _, c in panel.cells.iterrows() if c["engine"] in CORE]
    for old, new in permutations(cells, 2):
        a, b = levels(old["options"]), levels(new["options"])
        changed = [f for f in FACTORS if a[f] != b[f]]
        if len(changed) != 1 or old["threads"] != new["threads"] or _others(old["options"]) != _others(new["options"]):
            continue
        factor = changed[0]
        if a[factor] != FACTORS[factor][0] or b[factor] not in FACTORS[factor]:
            continue
        rest = " ".join(b[f] for f in FACTORS if f != factor and not (f == "map" and b["meta"] == "buffer"))
        yield Contrast(factor, a[factor], b[factor], rest, ratio(old["values"], new["values"], max(old["floor"], new["floor"]),
                                                               (old["cell"], new["cell"])))


def _found(runs: Runs) -> list[tuple[tables.Panel, list[Contrast]]]:
    order = list(FACTORS)
    found = [(panel, sorted(of_panel(panel), key=lambda c: (order.index(c.factor), c.new, c.rest))) for panel in tables.panels(runs)]
    found = [(panel, contrasts) for panel, contrasts in found if contrasts]
    if not found:
        raise tables.NotInRun("needs cells of the core that differ in one option: harness/retrofit.toml")
    return found


def draw(runs: Runs) -> Figure:
    found = _found(runs)
    rows = max(len(contrasts) for _, contrasts in found)
    fig, axes = style.grid(len(found), columns=2, width=5.2, height=0.5 + 0.155 * rows)
    for axis, (panel, contrasts) in zip(axes, found):
        for at, c in enumerate(contrasts):
            axis.errorbar([c.ratio.value], [at], xerr=[[c.ratio.value - c.ratio.low], [c.ratio.high - c.ratio.value]], fmt="o", capsize=2,
                          elinewidth=0.9, markersize=3.5, color=COLOURS[c.factor])
        axis.axvline(1, color=style.INK, linewidth=0.8)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
        axis.xaxis.set_minor_formatter(lambda v, _: f"{v:g}")
        axis.tick_params(axis="x", which="both", labelsize=7)
        axis.set_yticks(range(len(contrasts)), [f"{c.old} → {c.new}   ({c.rest})" for c in contrasts], fontsize=6.5)
        for label, c in zip(axis.get_yticklabels(), contrasts):
            label.set_color(style.dark(COLOURS[c.factor]))
        axis.set(title=panel.title, xlabel="time per operation, new over old, log scale")
        axis.invert_yaxis()
    style.title(fig, "One factor at a time", runs, "null is no core; each row two cells that differ in one option; in brackets what they have in common; "
                "whiskers: 95 % interval over processes")
    return fig


def says(runs: Runs) -> str:
    told = []
    for panel, contrasts in _found(runs):
        table = pd.DataFrame([{"factor": f"{c.old} → {c.new}", "value": c.ratio.value, "word": c.ratio.verdict} for c in contrasts])
        each = [f"{name} {group['value'].min():.2f} to {group['value'].max():.2f} ({', '.join(sorted(set(group['word'])))})"
                for name, group in table.groupby("factor", sort=False)]
        told.append(f"{panel.name}: " + ", ".join(each))
    return "New over old, lowest to highest over what else was chosen: " + "; ".join(told) + "."
