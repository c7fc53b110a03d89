"""Every design against the baseline: ratio of time per operation with its interval, on one axis for all workloads."""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs
from ..stats import MARGIN

QUESTION = "On which operations is a design faster or slower than the baseline, beyond margin and noise?"
ORDER = 12


def _found(runs: Runs) -> list[tuple[tables.Panel, list]]:
    out = []
    for panel in tables.panels(runs):
        if panel.crossing == "none" or "posix" in set(panel.cells["engine"]):
            ratios = [(c, b, r) for c, b, r in tables.against_baseline(panel) if c["threads"] == panel.cells["threads"].min()
                      and np.isfinite(r.high)]
            if ratios:
                out.append((panel, ratios))
    if not out:
        raise tables.NotInRun("needs the baseline (xfs-today, else native) and another design in the same cell, twice or more each")
    return out


def draw(runs: Runs) -> Figure:
    found = _found(runs)
    among = style.ordered(c["series"] for _, ratios in found for c, _, _ in ratios)
    base = style.ordered({b["series"] for _, ratios in found for _, b, _ in ratios})
    size = [max(1.0, 0.34 * len(r) + 0.25) for _, r in found]
    fig, (axis,) = style.grid(1, width=8.2, height=max(2.4, 0.36 * sum(size)))
    ticks, at = [], 0.0
    axis.axvspan(1 / (1 + MARGIN), 1 + MARGIN, color="#E8F1E8", zorder=0)
    axis.axvline(1, color="#888888", linewidth=0.8)
    for i, ((panel, ratios), room) in enumerate(zip(found, size)):
        ticks.append((at + room / 2, panel.name + ("" if panel.crossing == "none" else ", syscall")))
        if i % 2:
            axis.axhspan(at, at + room, color="#F6F6F6", zorder=-1)
        ratios = sorted(ratios, key=lambda item: style.rank(item[0]["series"]))
        for (cell, _, found_ratio), y in zip(ratios, np.linspace(at + 0.18, at + room - 0.18, len(ratios)) if len(ratios) > 1 else
                                             [at + room / 2]):
            look = style.line_look(cell["series"], among) | {"linestyle": "", "alpha": 0.38 if found_ratio.verdict == "ambiguous" else 1}
            axis.errorbar(found_ratio.value, y, xerr=[[found_ratio.value - found_ratio.low], [found_ratio.high - found_ratio.value]],
                          elinewidth=1.0, capsize=1.8, **look)
        nulls = panel.cells[(panel.cells["engine"] == "null") & (panel.cells["threads"] == panel.cells["threads"].min())]
        if len(nulls):
            axis.annotate(f"null {nulls.iloc[0]['ns'].mean / ratios[0][1]['ns'].mean:.2g}", (0, at + room / 2),
                          xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.8,
                          color="#777777")
        at += room
    axis.set_xscale("log")
    low = min(r.low for _, rs in found for *_, r in rs)
    high = max(r.high for _, rs in found for *_, r in rs)
    axis.set_xlim(min(0.7, low * 0.85), max(1.25, high * 1.07))
    left, right = axis.get_xlim()
    fine = (0.33, 0.67, 0.8, 1.25, 1.5, 3) if right / left < 12 else ()  # a wide axis has no room for them
    steps = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, *fine) if left <= t <= right]
    axis.set_xticks(steps, [f"{t:g}" for t in steps])
    axis.set_xticks([], minor=True)
    axis.set_yticks([y for y, _ in ticks], [t for _, t in ticks])
    axis.set_ylim(at, 0)
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(f"time per operation, {' or '.join(base)} = 1   (left: faster, right: slower)")
    style.legend_below(fig, style.line_handles(among))
    cross = any(p.crossing != "none" for p, _ in found)
    style.title(fig, "Against the baseline", runs, "; ".join(
        ["fewest threads; faint: ambiguous; green: ±2 %; 95 % interval; at the left edge the ratio of null, the harness's own cost"] +
        ([f"posix through system calls is {tables.NOT_LIKE_FOR_LIKE}"] if cross else []) + sorted({t for p, _ in found for t in p.left_out})))
    return fig


def says(runs: Runs) -> str:
    words = [r.verdict for _, ratios in _found(runs) for *_, r in ratios]
    return (f"Of {len(words)} comparisons with the baseline at the fewest threads, {words.count('better')} are better, {words.count('worse')} "
            f"worse, {words.count('same')} the same and {words.count('ambiguous')} ambiguous.")
