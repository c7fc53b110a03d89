"""`micro.json` of a run folder: what `daxlab micro` wrote there as Google Benchmark's JSON, for what no workload of a mounted engine can measure.

    daxlab micro '^(mount|create_unlink|rename_within|mapped_gib|dram|two_writers)' --benchmark_out=DIR/micro.json --benchmark_out_format=json
"""
from __future__ import annotations

import json
import re
import statistics
from typing import Any

from . import InputError
from .load import Runs

_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}


def benchmarks(runs: Runs) -> dict[str, dict[str, float]]:
    """By name without modifiers ("mount/clean/1000"): the time in ns and every counter, medians over repetitions. Empty without the file."""
    return runs.once("micro", lambda: {name: _medians(rows) for name, rows in _repetitions(runs).items()})


def values(runs: Runs, name: str, counter: str) -> list[float]:
    """A counter of one benchmark, a value a repetition: what an interval is made of."""
    return [float(row[counter]) for row in _repetitions(runs).get(name, []) if counter in row]


def _repetitions(runs: Runs) -> dict[str, list[dict[str, Any]]]:
    return runs.once("micro repetitions", lambda: _read(runs))


def _read(runs: Runs) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for folder in runs.folders:
        path = folder / "micro.json"
        if not path.exists():
            continue
        try:
            for row in json.loads(path.read_text())["benchmarks"]:
                if row.get("run_type", "iteration") == "iteration":
                    found.setdefault(re.sub(r"/(iterations:\d+|real_time)", "", row["name"]), []).append(row)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: is not the JSON of Google Benchmark: {error}") from None
    return found


def _medians(rows: list[dict[str, Any]]) -> dict[str, float]:
    keys = [k for k, v in rows[0].items() if isinstance(v, float) or k in ("real_time", "cpu_time")]
    out = {k: statistics.median(float(r[k]) for r in rows if k in r) for k in keys}
    return out | {"ns": out["real_time"] * _NS[rows[0].get("time_unit", "ns")]}
