"""The table behind the figures: every cell with its time, tail, verdict and what it could have shown."""
from __future__ import annotations

from typing import Any

from .. import style, tables
from ..load import Runs
from ..report import Report

TITLE = "All cells"
ORDER = 50


def _rows(runs: Runs, panel: tables.Panel) -> list[dict[str, Any]]:
    against = {(c["series"], c["threads"]): r for c, _, r in tables.against_baseline(panel)}
    base = tables.baseline_of(panel.cells)
    out = []
    for threads in sorted(set(panel.cells["threads"])):
        cells = panel.cells[panel.cells["threads"] == threads]
        for series in style.ordered(cells["series"]):
            cell = cells[cells["series"] == series].iloc[0]
            histogram = tables.merged(runs, cell)
            out.append({"threads": threads, "series": series, "colour": style.look(series)[0], "ns": cell["ns"], "ratio":
                        against.get((series, threads)), "baseline": series == base,
                        "tail": [histogram.quantile(q) for q in (0.5, 0.99, 0.999)] if histogram.count else None,
                        "unverified": cell["verified"] == "not-applicable" and series != "null"})
    return out


def body(report: Report) -> str:
    groups = []
    for media in report.runs.media:
        runs = report.runs.on(media)
        found = [(panel, _rows(runs, panel)) for panel in tables.panels(runs)]
        groups.append((media, found))
    return report.template("summary.html", groups=groups)
