"""What this run can tell apart: A/A floor, detectable effects, outliers."""
from __future__ import annotations

import numpy as np

from .. import stats, tables
from ..report import Report

TITLE = "What this run can tell apart"
ORDER = 40


def body(report: Report) -> str:
    cells = tables.cells_of(report.runs.plain, tables.floor(report.runs))
    cells = cells[cells["engine"] != "null"]
    effects = [c.detectable for c in cells["ns"] if np.isfinite(c.detectable)]
    pairs = [row for _, row in tables.floor(report.runs).pairs.iterrows()]
    return report.template("noise.html", pairs=pairs, margin=stats.MARGIN, effects=sorted(effects), cells=len(cells),
                           few=sum(not np.isfinite(c.detectable) for c in cells["ns"]), mild=sum(c.mild for c in cells["ns"]),
                           severe=sum(c.severe for c in cells["ns"]), processes=sum(c.n for c in cells["ns"]))
