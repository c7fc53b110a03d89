"""The figures, each after its question and before one sentence that says what it shows."""
from __future__ import annotations

from ..report import Report

TITLE = "Figures"
ORDER = 30


def body(report: Report) -> str:
    return report.template("pictures.html", media=report.runs.media, drawn=report.drawn)
