"""Which eBPF probes watched the traced twins: how they were attached, what they fell back from, what they lost."""
from __future__ import annotations

from ..report import Report

TITLE = "Probes"
ORDER = 70


def body(report: Report) -> str:
    found: dict[str, dict] = {}
    for r in report.runs.records:
        for name, probe in (r.get("probes") or {}).items():
            row = found.setdefault(name, {"attached": {}, "fallback": set(), "skipped": {}, "lost": 0, "events": 0, "sessions": 0})
            row["sessions"] += 1
            row["lost"] += probe["lost"]
            row["events"] += sum(probe["counts"].values()) + sum(h["count"] for h in probe["histograms"].values())
            for key, field in (("attached", "attached_by"), ("skipped", "skipped")):
                if probe[field]:
                    row[key][probe[field]] = row[key].get(probe[field], 0) + 1
            if probe["fallback"]:
                row["fallback"].add(probe["fallback"])
    return report.template("probes.html", probes=sorted(found.items()), twins=sum(r["kind"] == "traced" for r in report.runs.records))
