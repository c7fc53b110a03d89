"""The mergeable log-linear histogram of `latency_ns.histogram`; the inverse of engines/base/histogram.h.

Values below 2048 are exact; above, each power of two has 1024 equal bins.
"""
from __future__ import annotations

import numpy as np

from . import InputError

SUB_BITS = 10
LINEAR = 2 << SUB_BITS
LIMIT = 1 << 40  # larger values count as this


def bin_of(value: int) -> int:
    if value < LINEAR:
        return value
    value = min(value, LIMIT - 1)
    exponent = value.bit_length() - 1
    return ((exponent - SUB_BITS) << SUB_BITS) + (value >> (exponent - SUB_BITS))


def bin_floor(bins: np.ndarray) -> np.ndarray:
    """The smallest value that falls into each bin."""
    bins = np.asarray(bins, dtype=np.int64)
    shift = np.maximum((bins >> SUB_BITS) - 1, 0)
    mantissa = np.where(bins < LINEAR, bins, (bins & ((1 << SUB_BITS) - 1)) + (1 << SUB_BITS))
    return mantissa << shift


class Histogram:
    """Bins in rising order with their counts."""

    def __init__(self, bins: np.ndarray, counts: np.ndarray):
        self.bins = np.asarray(bins, dtype=np.int64)
        self.counts = np.asarray(counts, dtype=np.int64)

    @classmethod
    def decode(cls, text: str) -> "Histogram":
        if not text:
            return cls(np.empty(0), np.empty(0))
        try:
            flat = np.array(text.replace(":", ",").split(","), dtype=np.int64)
        except ValueError:
            raise InputError(f"histogram is not \"bin:count,...\": {text[:40]!r}") from None
        if text.count(":") != text.count(",") + 1 or flat.size % 2:
            raise InputError(f"histogram is not \"bin:count,...\": {text[:40]!r}")
        bins, counts = flat[0::2], flat[1::2]
        if (np.diff(bins) <= 0).any() or (bins < 0).any() or (counts <= 0).any() or bins[-1] > bin_of(LIMIT):
            raise InputError("histogram has bins out of order, out of range or empty")
        return cls(bins, counts)

    @classmethod
    def merge(cls, parts: list["Histogram"]) -> "Histogram":
        if not parts:
            return cls(np.empty(0), np.empty(0))
        bins, where = np.unique(np.concatenate([part.bins for part in parts]), return_inverse=True)
        counts = np.bincount(where, weights=np.concatenate([part.counts for part in parts]), minlength=bins.size)
        return cls(bins, counts.astype(np.int64))

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    @property
    def values(self) -> np.ndarray:
        return bin_floor(self.bins)

    def cumulative(self) -> tuple[np.ndarray, np.ndarray]:
        """Values and the share of all that is at most as large."""
        return self.values, np.cumsum(self.counts) / max(self.count, 1)

    def quantile(self, fraction: float) -> float:
        """The smallest v such that at least `fraction` of all values are <= v, to bin precision; nan when empty."""
        if self.count == 0:
            return float("nan")
        rank = max(1, int(np.ceil(fraction * self.count - 1e-9)))
        return float(self.values[np.searchsorted(np.cumsum(self.counts), rank)])
