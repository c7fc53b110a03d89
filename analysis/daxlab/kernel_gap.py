"""How far a model is from the kernel that it stands for, in counts of the exact laboratory.

For each quantity one factor is fitted on every second cell (in order of operation and parameters) and must predict the others: kernel =
factor x engine. Which engine stands for which kernel file system is in its records (option `models`, by EngineType::models()); with options that
differ from the usual ones either stands beside every variant of the other. A factor is the geometric mean of kernel over engine; a model that counts none where the kernel counts some cannot be scaled.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import exact, style
from .load import Runs, number_of_size

QUANTITIES = (("log bytes", "log_bytes"), ("log writes", "commits"), ("fences", "fences"), ("NVDIMM bytes", "nvdimm_bytes_written"),
              ("wake-ups", "wakeups"))
WITHIN = 0.15  # what a model may be off on cells that it was not fitted to


@dataclass(frozen=True)
class Cell:
    """One operation in both, per operation."""

    name: str
    fitted: bool
    kernel: float
    engine: float
    predicted: float

    @property
    def error(self) -> float:
        """Relative error of the prediction; infinite where one of the two counts none."""
        if self.kernel == self.predicted:
            return 0.0
        return self.predicted / self.kernel - 1 if self.kernel else math.inf


@dataclass(frozen=True)
class Gap:
    """One quantity of one model."""

    engine: str
    kernel: str
    quantity: str
    factor: float
    cells: list[Cell]

    @property
    def held_out(self) -> list[Cell]:
        return [cell for cell in self.cells if not cell.fitted]

    @property
    def worst(self) -> float:
        return max((abs(cell.error) for cell in self.held_out), default=math.nan)

    @property
    def holds(self) -> bool:
        return bool(self.held_out) and self.worst <= WITHIN


def _factor(pairs: list[tuple[float, float]]) -> float:
    ratios = [kernel / engine for kernel, engine in pairs if kernel > 0 and engine > 0]
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else 1.0


def _place(operation: exact.Operation) -> tuple:
    return (operation.name.split(",")[0], *(number_of_size(operation.params.get(k, "0")) for k in ("n", "population", "block_bytes")))


def gaps(runs: Runs) -> list[Gap]:
    """Every model that was counted beside its kernel, series by series."""
    operations = sorted(exact.operations(runs), key=_place)
    series = exact.series(operations)
    models = {row["series"]: row["options"].get("models", "") for o in operations for _, row in o.cells.iterrows()}
    out = []
    for model in series:
        for kernel in series:
            if models[model] != style.engine_of(kernel):
                continue
            both = [(o.name, rows[kernel], rows[model]) for o in operations if {kernel, model} <= (rows := exact.by_series(o)).keys()]
            for quantity, counter in QUANTITIES:
                pairs = [(exact.per_op(k, counter), exact.per_op(m, counter)) for _, k, m in both]
                factor = _factor(pairs[::2])
                cells = [Cell(name, number % 2 == 0, k, m, factor * m) for number, ((name, *_), (k, m)) in enumerate(zip(both, pairs))]
                if any(k or m for k, m in pairs):
                    out.append(Gap(model, kernel, quantity, factor, cells))
    return out
