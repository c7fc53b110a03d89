"""What these numbers are not."""
from __future__ import annotations

from ..load import fact
from ..report import Report

TITLE = "Caveats"
ORDER = 90


def body(report: Report) -> str:
    records = report.runs.records
    return report.template("caveats.html", classes={r["media"]["class"] for r in records}, posix=any(r["engine"] == "posix" for r in records),
                           threads=max(r["threads"] for r in records), sampled=any(r.get("latency_every", 1) > 1 for r in records),
                           cpus=[fact(e, "cpu.count") for e in report.runs.environments])
