"""How far the engines are from the kernel: counts fitted on half of the cells, predicting the other half."""
from __future__ import annotations

from .. import kernel_gap, tables
from ..report import Report

TITLE = "How far the engines are from the kernel"
ORDER = 37


def body(report: Report) -> str | None:
    found = []
    for media in report.runs.media:
        try:
            found += kernel_gap.gaps(report.runs.on(media))
        except tables.NotInRun:
            pass
    return report.template("kernel_gap.html", gaps=found, within=kernel_gap.WITHIN) if found else None
