"""The five claims on trial: verdict words with their points, or what has to be measured first."""
from __future__ import annotations

from .. import evidence
from ..report import Report

TITLE = "The five claims"
ORDER = 20


def body(report: Report) -> str:
    rows = [(evidence.claim(answer.claim), answer) for answer in report.answers]
    return report.template("claims.html", rows=rows, sha256=evidence.sha256(), registered=evidence.registration()["registered"],
                           not_here=evidence.registration()["not_measured_here"])
