"""Appendix: everything that was recorded about the machine, and its calibration."""
from __future__ import annotations

from typing import Any

from ..report import Report
from .run import plain_text

TITLE = "Appendix: environment and calibration"
ORDER = 80


def flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [row for k, v in value.items() for row in flat(v, f"{path}.{k}" if path else str(k))]
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        named = [next((str(v[k]) for k in ("name", "what") if k in v), str(i)) for i, v in enumerate(value)]
        return [row for n, v in zip(named, value) for row in flat({k: x for k, x in v.items() if x != n}, f"{path}.{n}")]
    return [(path, f"{value:.4g}" if isinstance(value, float) else plain_text(value))]


def costs(calibration: dict[str, Any]) -> list[dict[str, Any]]:
    """The measured floors: one row each, with what an injected delay should have been."""
    unknown = {"p99_ns": None, "target_ns": None, "error": None}
    return [unknown | {"name": f"{group}: {name.replace('_', ' ')}"} | cost for group, named in calibration.items() if isinstance(named, dict)
            for name, cost in named.items() if isinstance(cost, dict) and "p50_ns" in cost]


def body(report: Report) -> str:
    groups = []
    for folder, environment in zip(report.runs.folders, report.runs.environments):
        calibration = environment.get("calibration") if isinstance(environment.get("calibration"), dict) else {}
        rest = {k: v for k, v in calibration.items() if not (isinstance(v, dict) and any(isinstance(c, dict) for c in v.values()))}
        groups.append((folder.resolve().name, flat({k: v for k, v in environment.items() if k != "calibration"}), costs(calibration),
                       flat(rest) if rest else []))
    return report.template("environment.html", groups=groups)
