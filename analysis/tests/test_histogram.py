"""The histogram is the inverse of engines/base/histogram.h."""
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from daxlab import InputError, histogram
from daxlab.histogram import Histogram

ROOT = Path(__file__).resolve().parents[2]


def test_bins_below_2048_are_exact():
    values = np.arange(histogram.LINEAR)
    assert [histogram.bin_of(int(v)) for v in values] == list(values)
    assert (histogram.bin_floor(values) == values).all()


def test_the_floor_of_a_bin_falls_into_it_and_the_value_before_does_not():
    bins = np.arange(1, histogram.bin_of(histogram.LIMIT - 1) + 1)
    for bin_, floor in zip(bins[::7], histogram.bin_floor(bins)[::7]):
        assert histogram.bin_of(int(floor)) == bin_
        assert histogram.bin_of(int(floor) - 1) == bin_ - 1


def test_a_bin_is_at_most_a_thousandth_wide():
    floors = histogram.bin_floor(np.arange(histogram.LINEAR, histogram.bin_of(histogram.LIMIT - 1)))
    assert (np.diff(floors) / floors[:-1]).max() <= 1 / 1024


def test_quantiles_follow_the_definition_of_the_header():
    found = Histogram(np.array([10, 20, 30]), np.array([50, 49, 1]))
    assert [found.quantile(q) for q in (0.0, 0.5, 0.51, 0.99, 0.991, 1.0)] == [10, 10, 20, 20, 30, 30]
    assert np.isnan(Histogram.decode("").quantile(0.5))


def test_merging_adds_the_counts_of_equal_bins():
    merged = Histogram.merge([Histogram.decode("5:1,7:2"), Histogram.decode("7:3,9:1")])
    assert list(zip(merged.bins, merged.counts)) == [(5, 1), (7, 5), (9, 1)]


@pytest.mark.parametrize("text", ["5", "5:1,", "5:1:2", "7:1,5:1", "5:0", "x:1", "-5:1", "99999999:1", "5,1:7,1"])
def test_text_that_is_not_a_histogram_is_refused(text):
    with pytest.raises(InputError):
        Histogram.decode(text)


PROGRAM = r"""
#include <cstdio>
#include "engines/base/histogram.h"
int main() {
  daxlab::Histogram h;
  for (uint64_t v = 0; v < (uint64_t{1} << 42); v = v * 9 / 8 + 1) {
    h.record(v);
    std::printf("%llu %u %llu\n", (unsigned long long)v, daxlab::Histogram::bin_of(v),
                (unsigned long long)daxlab::Histogram::bin_floor(daxlab::Histogram::bin_of(v)));
  }
  std::printf("%s\n", h.encode().c_str());
  for (double q : {0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) std::printf("%llu ", (unsigned long long)h.quantile(q));
}
"""


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_python_and_the_header_agree(tmp_path):
    """The C++ program of this test records values over the whole range; both sides must see the same bins and quantiles."""
    source, program = tmp_path / "probe.cc", tmp_path / "probe"
    source.write_text(PROGRAM)
    parts = [ROOT / "engines/base" / f"{n}.cc" for n in ("histogram", "result", "check")]
    if not all(p.exists() for p in parts):
        pytest.skip("the C++ sources are not in this tree")
    built = subprocess.run(["g++", "-std=c++20", "-O0", f"-I{ROOT}", "-o", program, source, *parts, "-lfmt"], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    *rows, text, quantiles = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    for row in rows:
        value, bin_, floor = map(int, row.split())
        assert histogram.bin_of(value) == bin_ and int(histogram.bin_floor(np.array([bin_]))[0]) == floor
    found = Histogram.decode(text)
    assert found.count == len(rows)
    mine = [found.quantile(q) for q in (0.0, 0.1, 0.5, 0.9, 0.99, 0.999)]
    assert mine == [float(q) for q in quantiles.split()][:-1]  # the last is the largest value itself in the header
