"""Reads run folders: version first, then the schema of every line, then one table of everything that is `ok`.

A torn last line is the trace of a killed run and is left out with a note; anything else that is wrong is one line naming file and
line, as an InputError.
"""
from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from . import InputError, schema
from .histogram import Histogram

HARNESS_ENGINES = {"null"}          # the cost of the harness itself, shown in every figure
KERNEL_ENGINES = {"posix", "ext4-dax", "xfs-dax"}


@dataclass(frozen=True)
class Runs:
    """One or more loaded runs. Treated as immutable; `frame` holds the `ok` records, one row each."""

    records: list[dict[str, Any]]
    environments: list[dict[str, Any]]
    folders: list[Path]
    notes: list[str] = field(default_factory=list)
    worked_out: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def frame(self) -> pd.DataFrame:
        return _frame([r for r in self.records if r["status"] == "ok"])

    @cached_property
    def plain(self) -> pd.DataFrame:
        """The only rows that are numbers: plain, ok and not proven wrong."""
        return self.of("plain")

    def of(self, kind: str) -> pd.DataFrame:
        frame = self.frame
        return frame[(frame["kind"] == kind) & (frame["verified"] != False)]  # noqa: E712

    @cached_property
    def not_ok(self) -> list[dict[str, Any]]:
        return [r for r in self.records if r["status"] != "ok"]

    @cached_property
    def media(self) -> list[str]:
        """The distinct media, as a figure's title names them."""
        return sorted({media_name(r["media"]) for r in self.records})

    def on(self, media: str) -> "Runs":
        """The records of one medium alone."""
        return self.once(f"on {media}", lambda: replace(self, records=[r for r in self.records if media_name(r["media"]) == media],
                                                        worked_out={}))

    def once(self, what: str, work: Callable[[], Any]) -> Any:
        """The result of `work`, done once for these runs: figures and sections ask for the same tables."""
        if what not in self.worked_out:
            self.worked_out[what] = work()
        return self.worked_out[what]


def blocks_lie(media: dict[str, Any]) -> str:
    """How blocks lie on a medium, as people write it: linear, 64KiB, stripe-64KiB, hole."""
    return media.get("run") or ("linear" if not media["run_bytes"] else size_text(media["run_bytes"]).replace(" ", ""))


def medium_name(media: dict[str, Any]) -> str:
    return f"{media['class']} {media['kind']}, profile {media['profile']}"


def media_name(media: dict[str, Any]) -> str:
    run = blocks_lie(media)
    return medium_name(media) + ("" if run == "linear" else f", blocks {run}")


def size_text(size_bytes: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size_bytes and size_bytes % unit == 0:
            return f"{size_bytes // unit} {name}"
    return f"{size_bytes} B"


def number_of_size(text: str) -> float:
    """The order of values as people write them: "4KiB" is 4096, "inf" the largest, other words come first."""
    if text == "inf":
        return float("inf")
    found = re.match(r"(\d+)\s*([KMGT]?)", text)
    return float(found[1]) * 1024.0 ** "_KMGT".index(found[2] or "_") if found else 0.0


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _read_lines(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror.lower()}; a run folder holds results.jsonl") from None
    records: list[dict[str, Any]] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        last = number == len(lines)  # what follows the last newline was cut while it was written
        try:
            record = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError):
            if last:
                notes.append(f"{path}: line {number} is torn (the run was killed while writing it) and was left out")
                continue
            raise InputError(f"{path}:{number}: is not JSON; a line in the middle of a record file was damaged") from None
        found = schema.violation(record)
        if found:
            raise InputError(f"{path}:{number}: {found}")
        for latency in [record.get("latency_ns"), *(role["latency_ns"] for role in record.get("roles", {}).values())]:
            try:
                Histogram.decode((latency or {}).get("histogram", ""))
            except InputError as error:
                raise InputError(f"{path}:{number}: latency_ns: {error}") from None
        records.append(record)
    return records


def _read_environment(path: Path) -> dict[str, Any]:
    try:
        environment = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror.lower()}; without it nobody knows what was measured on") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {str(error).splitlines()[0]}") from None
    if not isinstance(environment, dict):
        raise InputError(f"{path}: is not a JSON object")
    return environment


def fact(environment: dict[str, Any], path: str) -> Any:
    """A fact of environment.json by its dotted path; None where it was not recorded."""
    value: Any = environment
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _source_names(paths: list[Path]) -> dict[Path, str]:
    """How figures tell runs apart: the folder's name, or its whole path where names collide."""
    names = Counter(path.resolve().name for path in paths)
    return {path: path.resolve().name if names[path.resolve().name] == 1 else str(path) for path in paths}


def load(folders: list[str | Path]) -> Runs:
    records: list[dict[str, Any]] = []
    notes: list[str] = []
    environments = []
    paths = [Path(folder) for folder in folders]
    sources = _source_names(paths)
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: is not a run folder (it holds results.jsonl and environment.json)")
        found = _read_lines(path / "results.jsonl", notes)
        if not found:
            raise InputError(f"{path / 'results.jsonl'}: holds no record")
        environments.append(_read_environment(path / "environment.json"))
        seen = Counter((r["cell"], r["kind"], r["repetition"]) for r in found)
        double = next((key for key, times in seen.items() if times > 1), None)
        if double:
            raise InputError(f"{path / 'results.jsonl'}: cell {double[0]} ({double[1]}, repetition {double[2]}) is there twice")
        records += [r | {"source": sources[path]} for r in found]
    return Runs(records, environments, paths, notes)


_COLUMNS = ["source", "cell", "kind", "engine", "series", "label", "workload", "fingerprint", "threads", "crossing", "repetition", "ops",
            "seconds", "ns_per_op", "ops_per_s", "bytes_per_s", "overhead", "verified", "media", "options", "params", "latency",
            "counters", "explain", "probes", "time", "medium", "run_of_blocks", "roles"]


def crossing_of(record: dict[str, Any]) -> str:
    return "syscall" if record["engine"] in KERNEL_ENGINES else record.get("crossing", "none")


def _usual(records: list[dict[str, Any]], name: str) -> dict[str, dict[str, str]]:
    """By engine: the commonest value of every option (or parameter), against which the others are named."""
    tally: dict[str, dict[str, Counter]] = {}
    for cell in {r["cell"]: r for r in records}.values():
        group = tally.setdefault(cell["engine" if name == "options" else "workload"], {})
        for key, value in cell[name].items():
            group.setdefault(key, Counter())[value] += 1
    return {g: {k: min(c, key=lambda v: (-c[v], v)) for k, c in keys.items()} for g, keys in tally.items()}


def _series(record: dict[str, Any], usual: dict[str, dict[str, str]]) -> str:
    options = record["options"]
    label = f"@{options['label']}" if options.get("label") else ""
    parts = [f":{k}={v}" for k, v in sorted(options.items())
             if k not in ("label", "path") and usual[record["engine"]].get(k) != v]
    return record["engine"] + label + "".join(parts)


def _frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    usual = _usual(records, "options")
    sources: dict[str, set[str]] = {}
    for r in records:
        sources.setdefault(r["cell"], set()).add(r["source"])
    rows = []
    for r in records:
        rows.append({
            **{k: r.get(k) for k in ("source", "cell", "kind", "engine", "workload", "fingerprint", "threads", "repetition", "ops", "seconds",
                                     "ns_per_op", "ops_per_s", "bytes_per_s", "overhead", "verified", "options", "params", "time")},
            "series": _series(r, usual) + (f" [{r['source']}]" if len(sources[r["cell"]]) > 1 else ""), "label": r["options"].get("label", ""), "crossing": crossing_of(r),
            "media": media_name(r["media"]), "latency": r.get("latency_ns"), "counters": r.get("counters") or {},
            "explain": r.get("explain_ns"), "probes": r.get("probes"), "medium": medium_name(r["media"]),
            "run_of_blocks": blocks_lie(r["media"]), "roles": r.get("roles") or {},
        })
    return pd.DataFrame(rows, columns=_COLUMNS)
