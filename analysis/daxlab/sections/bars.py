"""How good native must be to stand for its kind, and how good it was in this run."""
from __future__ import annotations

from .. import bars
from ..report import Report

TITLE = "How good native must be"
ORDER = 36


def body(report: Report) -> str | None:
    groups = [(media, bars.rows_of(report.runs.on(media))) for media in report.runs.media]
    groups = [(media, rows) for media, rows in groups if rows]
    return report.template("bars.html", groups=groups) if groups else None
