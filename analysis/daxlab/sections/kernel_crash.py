"""Crash images of real kernel file systems: how many were judged, and what was found."""
from __future__ import annotations

from ..report import Report

TITLE = "Crash images of kernel file systems"
ORDER = 38


def body(report: Report) -> str | None:
    found = [outcome for environment in report.runs.environments for outcome in environment.get("kernel_crash") or []]
    return report.template("kernel_crash.html", outcomes=found) if found else None
