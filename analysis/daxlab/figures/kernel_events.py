"""What the eBPF probes counted per operation: a table in colour, counts alone and no times."""
from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from .. import style, tables
from ..load import Runs

QUESTION = "What does the kernel do for each design: faults, shootdowns, waits and switches per operation?"
ORDER = 55
NOT_EVENTS = {"bytes"}     # counts that are sums of something else


def _row(row: Any, varying: dict[str, set[str]]) -> tuple[str, str, dict[str, float]] | None:
    """(place, series, events per 1000 operations by probe and class) of one traced twin."""
    if not row.probes:
        return None
    events = {}
    for name, probe in row.probes.items():
        if not probe["skipped"]:
            events |= {f"{name}: {kind}": count for kind, count in probe["counts"].items() if kind not in NOT_EVENTS}
            events |= {f"{name}: {kind}": histogram["count"] for kind, histogram in probe["histograms"].items()}
    place = f"{tables.cell_name(row.workload, row.params, varying[row.workload])}, {row.threads} thr."
    return place + (", syscall" if row.crossing == "syscall" else ""), row.series, {k: 1000 * v / row.ops for k, v in events.items()}


def _table(runs: Runs) -> tuple[list[str], list[str], list[str], np.ndarray]:
    """Row names, their series, column names, and events per 1000 operations; nan where a probe did not run."""
    varying = tables.param_names(runs)
    found = []
    for _, rows in runs.of("traced").groupby(["fingerprint", "crossing"]):
        rows, _ = tables.fair(rows[rows["threads"] == rows["threads"].max()])
        found += [one for one in map(_row, rows.itertuples(), [varying] * len(rows)) if one] if set(rows["engine"]) != {"null"} else []
    columns = sorted({k for *_, events in found for k, v in events.items() if v > 0})
    if not columns:
        raise tables.NotInRun("needs traced twins with a probe that ran")
    found.sort(key=lambda item: (item[0], style.rank(item[1])))
    return ([place for place, *_ in found], [series for _, series, _ in found], columns,
            np.array([[events.get(c, np.nan) for c in columns] for *_, events in found]))


def draw(runs: Runs) -> Figure:
    places, series, columns, values = _table(runs)
    fig, (axis,) = style.grid(1, width=max(6.4, 3.6 + 0.48 * len(columns)), height=max(2.0, 0.165 * len(places) + 1.7))
    shown = np.where(values > 0, values, np.nan)
    axis.imshow(shown, aspect="auto", cmap="Blues", norm=LogNorm(vmin=max(1e-3, np.nanmin(shown)), vmax=max(1e4, np.nanmax(shown) * 30)))
    for (i, j), value in np.ndenumerate(values):
        if not np.isnan(value):
            axis.text(j, i, "·" if value == 0 else style.number(value), ha="center", va="center", fontsize=5.8,
                      color="#999999" if value == 0 else "#111111")
    axis.set_xticks(range(len(columns)), [c.replace("_", " ") for c in columns], rotation=50, ha="left", rotation_mode="anchor", fontsize=7)
    axis.xaxis.tick_top()
    labels = [f"{place}   {name}" if i == 0 or places[i - 1] != place else name for i, (place, name) in enumerate(zip(places, series))]
    axis.set_yticks(range(len(labels)), labels, fontsize=6.8)
    for tick, name in zip(axis.get_yticklabels(), series):
        tick.set_color(style.dark(style.look(name)[0]))
    for i in range(1, len(places)):
        if places[i] != places[i - 1]:
            axis.axhline(i - 0.5, color="#AAAAAA", linewidth=0.6)
    axis.grid(False)
    axis.tick_params(length=0)
    style.title(fig, "Events that eBPF saw, per 1000 operations", runs, "traced twins, most threads of each workload; ·: none; empty: the probe did not run; null is what the "
                "harness itself causes; posix works inside the kernel and is " + tables.NOT_LIKE_FOR_LIKE)
    return fig


def says(runs: Runs) -> str:
    places, series, columns, values = _table(runs)
    rows = [i for i, name in enumerate(series) if name != "null"]
    if not rows:
        return "Only null was watched."
    best = max(((values[i, j], i, j) for i in rows for j in range(len(columns)) if not np.isnan(values[i, j])), default=None)
    if best is None:
        return "No probe saw an event."
    return (f"Over {len(set(places))} watched cells the most frequent event is {columns[best[2]].replace('_', ' ')} on {series[best[1]]} in "
            f"{places[best[1]].rstrip('.')}: {style.number(best[0])} per 1000 operations.")
