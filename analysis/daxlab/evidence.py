"""What the questions share: the registration and its hash, one-factor contrasts, aggregates with intervals, and the answer's form."""
from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import stats, tables
from .load import Runs

REGISTERED = Path(__file__).resolve().parent / "questions" / "registered.toml"
NOT_YET, NOT_HERE, OPEN = "not measured yet", "not measured here", "open"


@lru_cache(maxsize=None)
def registration() -> dict[str, Any]:
    return tomllib.loads(REGISTERED.read_text())


def sha256() -> str:
    return hashlib.sha256(REGISTERED.read_bytes()).hexdigest()


def claim(claim_id: str) -> dict[str, Any]:
    return next(c for c in registration()["claims"] if c["id"] == claim_id)


@dataclass(frozen=True)
class Point:
    """One place where the claim was tried: a medium, or a medium and a number of operations per fsync."""

    name: str
    word: str
    text: str


@dataclass(frozen=True)
class Answer:
    claim: str
    word: str                                      # upheld, refuted, open, not measured yet, not measured here
    needs: str                                     # the cells it takes, in words
    points: list[Point] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)   # what would decide, or complete, the answer


def unanimous(points: Sequence[Point]) -> str:
    """One word over all points: theirs where they agree, else open."""
    words = {p.word for p in points}
    return words.pop() if len(words) == 1 else (OPEN if words else NOT_YET)


def conclude(claim_id: str, needs: str, points: list[Point], missing: list[str]) -> Answer:
    return Answer(claim_id, unanimous(points), needs, points, missing)


@dataclass(frozen=True)
class Level:
    """The geometric mean over cells of time per operation: its log, its resampled logs, and the fewest processes of a cell."""

    log: float
    spread: np.ndarray
    processes: int

    @classmethod
    def of(cls, cells: Sequence[Sequence[float]], seed: object) -> "Level":
        return cls(*stats.geometric(cells, seed))

    @property
    def time(self) -> float:
        return float(np.exp(self.log))


@dataclass(frozen=True)
class Quotient:
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def quotient(above: Level, below: Level) -> Quotient:
    """Time over time, with the registered interval."""
    low, high = stats.interval(above.spread - below.spread, min(above.processes, below.processes), registration()["confidence"])
    value = float(np.exp(above.log - below.log))
    return Quotient(value, min(low, value), max(high, value))


def cells(runs: Runs, workload: str | None = None, params: dict[str, str] | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Plain cells without labels, with enough processes; and what had too few."""
    rows = runs.plain
    rows = rows[rows["label"] == ""]
    if workload is not None:
        rows = rows[rows["workload"] == workload]
    for key, value in (params or {}).items():
        rows = tables.where(rows, (p.get(key) == value for p in rows["params"]))
    if not len(rows):
        return tables.cells_of(rows).assign(medium=[], run_of_blocks=[]), []
    found = tables.cells_of(rows)
    first = rows.drop_duplicates(["cell", "series"]).set_index(["cell", "series"])
    keys = list(zip(found["cell"], found["series"]))
    found = found.assign(medium=[first.loc[k, "medium"] for k in keys], run_of_blocks=[first.loc[k, "run_of_blocks"] for k in keys])
    need = registration()["min_processes"]
    few = tables.where(found, (len(v) < need for v in found["values"]))
    missing = [f"{c.series} on {c.workload} has {len(c.values)} of {need} processes" for c in few.itertuples()]
    return found.drop(few.index), missing


def contrast(found: pd.DataFrame, axis: str, candidate: str, baseline: str, free_media: bool = False) -> list[tuple[pd.Series, pd.Series]]:
    """Pairs of cells (candidate, baseline) that differ in one option alone, whatever their presets are called. "*" is any other value."""
    def key(cell: Any) -> tuple:
        options = tuple(sorted((k, v) for k, v in cell.options.items() if k not in (axis, "label")))
        return (cell.fingerprint, cell.threads, cell.crossing, cell.medium, None if free_media else cell.run_of_blocks, options)

    base = {key(c): i for i, c in zip(found.index, found.itertuples()) if c.options.get(axis) == baseline}
    out = []
    for i, c in zip(found.index, found.itertuples()):
        value = c.options.get(axis)
        if value is not None and value != baseline and candidate in ("*", value) and key(c) in base:
            out.append((found.loc[i], found.loc[base[key(c)]]))
    return out


def levels(pairs: Sequence[tuple[pd.Series, pd.Series]], seed: object) -> tuple[Level, Level]:
    return (Level.of([c["values"] for c, _ in pairs], (seed, "candidate")), Level.of([b["values"] for _, b in pairs], (seed, "baseline")))
