"""Faults against writes on one file: who waited for whom, as the engine counted it and as eBPF saw it."""
from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .. import style, tables
from ..load import Runs
from ..stats import summary

QUESTION = "When threads fault on a file that others write, who waits for whom, and do engine and kernel agree on it?"
ORDER = 38
LIMIT = 0.01   # counts of eBPF and of the engine are to agree within 1 %
FAULT, WRITE = "#0072B2", "#D55E00"
MARKS = {"faults": "o", "writes": "s", "waits in faults": "D", "waits in writes": "v"}


def _probe(probes: dict[str, Any], *wanted: tuple[str, tuple[str, ...]]) -> int | None:
    """Events of the first probe of `wanted` that ran, over the given histogram classes."""
    for name, classes in wanted:
        probe = probes.get(name)
        if probe and not probe["skipped"] and any(c in probe["histograms"] or c in probe["counts"] for c in classes):
            return sum(probe["histograms"][c]["count"] if c in probe["histograms"] else probe["counts"].get(c, 0) for c in classes)
    return None


def seen(record: pd.Series) -> dict[str, tuple[int, int | None]]:
    """By kind of event: the engine's count and that of eBPF, in one and the same process; None where no probe ran."""
    c, probes = record["counters"], record["probes"] or {}
    return {
        "faults": (c.get("faults_4k", 0) + c.get("faults_2m", 0), _probe(probes, ("user_fault", ("read", "write", "delivered")))),
        "writes": (c.get("writes", 0), _probe(probes, ("user_write", ("write",)))),
        "waits in faults": (c.get("lock_waits_fault", 0), _probe(probes, ("lock_wait", ("wait_in_fault",)), ("futex_wait", ("wait_in_fault",)))),
        "waits in writes": (c.get("lock_waits_write", 0), _probe(probes, ("lock_wait", ("wait_in_write",)), ("futex_wait", ("wait_in_write",)))),
    }


def off_by(inside: int, outside: int | None) -> float | None:
    """How far eBPF's count is from the engine's, as a share of the engine's; None where there is nothing to compare."""
    if outside is None or (inside == 0 and outside == 0):
        return None
    return (outside - inside) / inside if inside else float("inf")


def _groups(runs: Runs) -> list[tuple[str, dict[str, str], pd.DataFrame, pd.DataFrame]]:
    """(name, params, traced twins, plain cells) of every fault_vs_write panel, without A/A halves."""
    traced, varying = runs.of("traced"), tables.param_names(runs)
    out = []
    for panel in tables.panels(runs, "fault_vs_write"):
        twins = traced[(traced["fingerprint"] == panel.fingerprint) & (traced["crossing"] == panel.crossing) &
                       traced["series"].isin(panel.cells["series"])]
        if panel.crossing == "none":
            out.append((tables.cell_name(panel.workload, panel.params, varying[panel.workload] | {"faulters", "writers"}), panel.params,
                        twins, panel.cells))
    if not out:
        raise tables.NotInRun("needs fault_vs_write")
    return out


def _whom(params: dict[str, str]) -> tuple[str, str]:
    alone_f, alone_w = params.get("faulters") == "1", params.get("writers") == "1"
    return ("a fault waited for the writer" if alone_f and alone_w else "a fault waited for a writer" if alone_f else
            "a fault waited for a writer or another fault",
            "a write waited for the faulter" if alone_f and alone_w else "a write waited for a faulter" if alone_w else
            "a write waited for a faulter or another write")


def _waits(axis: Axes, names: list[str], twins: pd.DataFrame) -> None:
    for _, record in twins.iterrows():
        row, counts = names.index(record["series"]), seen(record)
        for offset, what, per, colour in ((-0.21, "waits in faults", "faults", FAULT), (0.21, "waits in writes", "writes", WRITE)):
            inside, outside = counts[what]
            base = max(counts[per][0], 1) / 1000
            axis.barh(row + offset - 0.095, inside / base, 0.18, color=colour)
            if outside is not None:
                axis.barh(row + offset + 0.095, outside / base, 0.18, facecolor="white", edgecolor=colour, hatch="/////", linewidth=0.8)
            axis.annotate(f"{inside / base:.3g}", (max(inside, outside or 0) / base, row + offset), xytext=(3, 0),
                          textcoords="offset points", va="center", fontsize=7)
    style.label_bars_axis(axis, names)
    axis.margins(x=0.16)
    axis.set(xlim=(0, None), xlabel="lock waits per 1000 of each", title="Who waited")


def _agreement(axis: Axes, names: list[str], twins: pd.DataFrame) -> None:
    axis.axvspan(-100 * LIMIT, 100 * LIMIT, color="#E8F1E8", zorder=0)
    axis.axvline(0, color="#888888", linewidth=0.8)
    reach = 1.6
    for _, record in twins.iterrows():
        row = names.index(record["series"])
        for i, what in enumerate(MARKS):
            off = off_by(*seen(record)[what])
            if off is None:
                continue
            percent = max(-60.0, min(60.0, 100 * off))
            reach, wrong = max(reach, abs(percent) * 1.25), abs(off) > LIMIT
            y = row - 0.3 + 0.2 * i
            axis.plot(percent, y, MARKS[what], color=style.RED if wrong else "#444444", markersize=4.5)
            if wrong:
                axis.annotate(f"{100 * off:+.1f} %" if abs(off) < 9 else "none in process", (percent, y), xytext=(5 if percent < 0 else -5, 0),
                              textcoords="offset points", ha="left" if percent < 0 else "right", va="center", fontsize=6.8, color=style.RED)
    axis.set(xlim=(-reach, reach), ylim=(len(names) - 0.5, -0.5), xlabel="eBPF against own count (%)", title="Do they agree")
    axis.set_yticks(range(len(names)), [""] * len(names))


def _times(axis: Axes, names: list[str], cells: pd.DataFrame) -> None:
    for _, cell in cells.iterrows():
        row = names.index(cell["series"])
        for offset, time, count, colour in ((-0.2, "lock_wait_fault_ns", "lock_waits_fault", FAULT),
                                            (0.2, "lock_wait_write_ns", "lock_waits_write", WRITE)):
            waited = sum(c.get(time, 0) for c in cell["counters"])
            waits = sum(c.get(count, 0) for c in cell["counters"])
            mean = waited / waits / 1000 if waits else 0.0
            axis.barh(row + offset, mean, 0.36, color=colour)
            axis.annotate(f"{mean:.3g}" if waits else "never", (mean, row + offset), xytext=(3, 0), textcoords="offset points", va="center",
                          fontsize=7)
    axis.set_yticks(range(len(names)), [""] * len(names))
    axis.margins(x=0.16)
    axis.set(xlim=(0, None), ylim=(len(names) - 0.5, -0.5), xlabel="mean wait (µs), plain cells", title="For how long")
    axis.grid(axis="y", visible=False)


def _rates(axis: Axes, names: list[str], cells: pd.DataFrame) -> None:
    """What each role got done, in plain cells, with its interval."""
    for _, cell in cells.iterrows():
        row = names.index(cell["series"])
        for offset, role, colour in ((-0.2, "faulter", FAULT), (0.2, "writer", WRITE)):
            rates = [r[role]["ops"] / s / 1000 for r, s in zip(cell["roles"], cell["seconds"]) if r.get(role, {}).get("ops")]
            if rates:
                found = summary(rates, seed=(cell["cell"], role))
                axis.barh(row + offset, found.mean, 0.36, color=colour)
                axis.errorbar(found.mean, row + offset, xerr=[[found.mean - found.low], [found.high - found.mean]], color="#333333",
                              elinewidth=0.9, capsize=1.6)
                axis.annotate(f"{found.mean:.3g}", (found.high, row + offset), xytext=(3, 0), textcoords="offset points", va="center",
                              fontsize=7)
    axis.set_yticks(range(len(names)), [""] * len(names))
    axis.margins(x=0.2)
    axis.set(xlim=(0, None), ylim=(len(names) - 0.5, -0.5), xlabel="thousand per second, plain cells", title="Faults and writes done")
    axis.grid(axis="y", visible=False)


def draw(runs: Runs) -> Figure:
    groups = _groups(runs)
    most = max(cells["series"].nunique() for *_, cells in groups)
    fig, axes = style.grid(4 * len(groups), columns=4, width=2.75, height=max(1.9, 0.62 * most + 0.8))
    for i, (name, _, twins, cells) in enumerate(groups):
        names = style.ordered(cells["series"])
        left, middle, right, done = axes[4 * i:4 * i + 4]
        _rates(done, names, cells)
        _waits(left, names, twins)
        _agreement(middle, names, twins)
        _times(right, names, cells)
        left.set_title(name + "\nWho waited" if len(groups) > 1 else "Who waited")
    faults, writes = _whom(groups[0][1])
    style.legend_below(fig, [Patch(color=FAULT, label=faults), Patch(color=WRITE, label=writes), Patch(color="#555555", label="counted in process"),
                             Patch(facecolor="white", edgecolor="#555555", hatch="/////", label="seen by eBPF")] +
                       [Line2D([], [], marker=m, color="#444444", linestyle="", markersize=4.5, label=w) for w, m in MARKS.items()], columns=4)
    style.title(fig, "Faults against writes on one file", runs, f"{groups[0][0]}; counts of one traced twin, in which engine and eBPF watched "
                "the same process; times are of plain cells; null maps no files, so its cost here is none")
    return fig


def says(runs: Runs) -> str:
    told, worst, compared = [], 0.0, 0
    for _, params, twins, cells in _groups(runs):
        for _, record in twins.iterrows():
            offs = [abs(o) for o in (off_by(*pair) for pair in seen(record).values()) if o is not None]
            compared += len(offs)
            worst = max([worst, *offs])
        for series in style.ordered(cells["series"]):
            cell = cells[cells["series"] == series].iloc[0]
            faults = sum(c.get("lock_waits_fault", 0) for c in cell["counters"])
            writes = sum(c.get("lock_waits_write", 0) for c in cell["counters"])
            told.append(f"{series}: {style.number(faults)} waits in faults, {style.number(writes)} in writes")
    agree = (f"eBPF and the engines' own counts agree within {100 * worst:.1f} %" if worst <= LIMIT else
             f"eBPF and the engines' own counts disagree by up to {100 * worst:.1f} %") if compared else "no probe watched them"
    return f"In the plain cells, {'; '.join(told)}. In the twins, {agree}."
