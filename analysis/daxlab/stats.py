"""Ratios with intervals, verdict words, the A/A floor, outliers, and what a cell could have shown at all.

The unit of repetition is the process. Everything is done on logarithms of time per operation, so that means are geometric and a ratio
is a difference.
"""
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd
from scipy import special, stats as sps

MARGIN = 0.02          # equivalence margin: what nobody should care about
CONFIDENCE = 0.95
RESAMPLES = 8000
RANK_LEVEL = 0.01      # a difference must also be one that shuffled labels give in at most 1 % of cases
WORDS = ("better", "worse", "same", "ambiguous")


@dataclass(frozen=True)
class Ratio:
    """Candidate over baseline, of time per operation: below 1 the candidate is faster."""

    value: float
    low: float
    high: float
    verdict: str
    floor: float       # the margin that a difference had to leave behind: 2 %, or the A/A floor where that is larger

    @property
    def text(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little")


def resampled_log_means(values: Sequence[float], seed: object, resamples: int = RESAMPLES) -> np.ndarray:
    """The log of the geometric mean of each of `resamples` draws with replacement. The same seed gives the same draws."""
    logs = np.log(np.asarray(values, dtype=float))
    draws = np.random.default_rng(_seed(seed)).integers(0, logs.size, (resamples, logs.size))
    return logs[draws].mean(axis=1)


def tail_share(n: int, confidence: float = CONFIDENCE) -> float:
    """Share of resamples to cut at each end, widened for few processes: a plain percentile interval of n values is too narrow by
    sqrt((n-1)/n) and by the normal in place of Student's distribution (Hesterberg 2015, section 3.3, "expanded percentile")."""
    if n < 2:
        return 0.0
    t = sps.t.ppf(0.5 + confidence / 2, n - 1) * np.sqrt(n / (n - 1))
    return float(special.ndtr(-t))


def interval(resampled: np.ndarray, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    tail = tail_share(n, confidence)
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(np.exp(low)), float(np.exp(high))


def rank_p(baseline: np.ndarray, candidate: np.ndarray) -> float:
    """Two-sided Mann-Whitney probability, exact for the few processes of a cell: 5 against 5 fully apart give 0.008."""
    if np.array_equal(np.sort(baseline), np.sort(candidate)):
        return 1.0
    method = "exact" if max(baseline.size, candidate.size) <= 20 else "asymptotic"
    return float(sps.mannwhitneyu(baseline, candidate, alternative="two-sided", method=method).pvalue)


def word(low: float, high: float, p: float, floor: float = MARGIN, margin: float = MARGIN) -> str:
    """Inside the margin "same"; beyond margin, floor and chance "better" or "worse"; everything between "ambiguous"."""
    if low >= 1 / (1 + margin) and high <= 1 + margin:
        return "same"
    beyond = max(floor, margin)
    if p <= RANK_LEVEL and high < 1 / (1 + beyond):
        return "better"
    if p <= RANK_LEVEL and low > 1 + beyond:
        return "worse"
    return "ambiguous"


def ratio(baseline: Sequence[float], candidate: Sequence[float], floor: float = MARGIN, seed: object = 0,
          resamples: int = RESAMPLES) -> Ratio:
    """Candidate over baseline. With one process on either side there is no interval, and the verdict is ambiguous."""
    a, b = np.asarray(baseline, dtype=float), np.asarray(candidate, dtype=float)
    value = float(np.exp(np.log(b).mean() - np.log(a).mean()))
    if min(a.size, b.size) < 2:
        return Ratio(value, 0.0, float("inf"), "ambiguous", floor)
    spread = resampled_log_means(b, (seed, "b"), resamples) - resampled_log_means(a, (seed, "a"), resamples)
    low, high = interval(spread, min(a.size, b.size))
    low, high = min(low, value), max(high, value)
    return Ratio(value, low, high, word(low, high, rank_p(a, b), floor), floor)


@dataclass(frozen=True)
class Summary:
    """One cell over its processes: geometric mean with interval, and how its processes scatter."""

    mean: float
    low: float
    high: float
    n: int
    mild: int          # Tukey: beyond 1.5 interquartile ranges; kept
    severe: int        # beyond 3; kept
    detectable: float  # smallest slow-down against an equal cell that would be called in 4 of 5 runs


def outliers(values: Sequence[float]) -> tuple[int, int]:
    logs = np.log(np.asarray(values, dtype=float))
    if logs.size < 4:
        return 0, 0
    first, third = np.percentile(logs, [25, 75])
    reach = third - first
    outside = np.maximum(first - logs, logs - third)
    severe = int((outside > 3 * reach).sum()) if reach > 0 else 0
    return (int((outside > 1.5 * reach).sum()) - severe if reach > 0 else 0), severe


def detectable_effect(values: Sequence[float], floor: float = MARGIN, power: float = 0.8) -> float:
    """How much slower an equally noisy cell must be to be called "worse" with the given power: the margin, and the noise on top."""
    logs = np.log(np.asarray(values, dtype=float))
    n = logs.size
    if 2 / comb(2 * n, n) > RANK_LEVEL:  # too few processes to tell anything from chance
        return float("inf")
    df = 2 * n - 2
    noise = logs.std(ddof=1) * np.sqrt(2 / n)
    return float((1 + floor) * np.exp((sps.t.ppf(1 - RANK_LEVEL / 2, df) + sps.t.ppf(power, df)) * noise) - 1)


def summary(values: Sequence[float], seed: object = 0, floor: float = MARGIN) -> Summary:
    mean = float(np.exp(np.log(np.asarray(values, dtype=float)).mean()))
    if len(values) < 2:
        return Summary(mean, mean, mean, len(values), 0, 0, float("inf"))
    low, high = interval(resampled_log_means(values, seed), len(values))
    return Summary(mean, min(low, mean), max(high, mean), len(values), *outliers(values), detectable_effect(values, floor))


# --- A/A pairs: cells that differ in their label alone

PLACE = ["source", "workload", "fingerprint", "threads", "crossing", "media"]


def without_label(options: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in options.items() if k != "label"))


@dataclass(frozen=True)
class Floor:
    """How far apart a run puts two equal things."""

    pairs: pd.DataFrame        # one row a pair: PLACE, a, b (series), ratio (Ratio)

    @property
    def measured(self) -> bool:
        return len(self.pairs) > 0

    def at(self, **place: object) -> float:
        """The margin for a cell: that of the pair at its own place, else the largest of the run; never below MARGIN."""
        if not self.measured:
            return MARGIN
        here = self.pairs
        for key, value in place.items():
            here = here[here[key] == value]
        distances = (here if len(here) else self.pairs)["distance"]
        return max(MARGIN, float(distances.max()))


def floor_of(plain: pd.DataFrame) -> Floor:
    rows = []
    labelled = plain[plain["label"] != ""]
    if len(labelled):
        labelled = labelled.assign(_what=[(e, without_label(o)) for e, o in zip(labelled["engine"], labelled["options"])])
        for place, cells in labelled.groupby(PLACE + ["_what"], sort=True):
            halves = [(label, rows_["ns_per_op"].to_numpy()) for label, rows_ in cells.groupby("label", sort=True)]
            for i, (label_a, a) in enumerate(halves):
                for label_b, b in halves[i + 1:]:
                    found = ratio(a, b, seed=("floor", place[:-1], label_a, label_b))
                    rows.append(dict(zip(PLACE, place[:-1])) | {
                        "a": f"{place[-1][0]}@{label_a}", "b": f"{place[-1][0]}@{label_b}", "ratio": found,
                        "distance": max(found.value, 1 / found.value) - 1})
    return Floor(pd.DataFrame(rows, columns=PLACE + ["a", "b", "ratio", "distance"]))


# --- aggregates over cells

def geometric(cells: Iterable[Sequence[float]], seed: object) -> tuple[float, np.ndarray, int]:
    """The geometric mean over cells of their geometric means over processes: its log, its resampled logs, the fewest processes."""
    cells = [np.asarray(cell, dtype=float) for cell in cells]
    logs = float(np.mean([np.log(cell).mean() for cell in cells]))
    spread = np.mean([resampled_log_means(cell, (seed, i)) for i, cell in enumerate(cells)], axis=0)
    return logs, spread, min(cell.size for cell in cells)
