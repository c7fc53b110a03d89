"""Cells without a number, and why."""
from __future__ import annotations

from .. import tables
from ..report import Report

TITLE = "Failed and skipped cells"
ORDER = 60


def body(report: Report) -> str:
    varying = tables.param_names(report.runs)
    rows: dict[tuple, int] = {}
    for r in report.runs.not_ok:
        key = (r["status"], r["engine"] + (f"@{r['options']['label']}" if r["options"].get("label") else ""),
               tables.cell_name(r["workload"], r["params"], varying[r["workload"]]), r["threads"], r["kind"], r["error"])
        rows[key] = rows.get(key, 0) + 1
    wrong = [r for r in report.runs.records if r["status"] == "ok" and r.get("verified") is False]
    return report.template("failures.html", rows=sorted(rows.items()), wrong=wrong)
