"""Verdicts: what counts as the same, what as a difference, and how often two equal things are called different."""
import numpy as np
import pytest

import make_runs
from daxlab import stats, tables

RNG = np.random.default_rng


def draws(sigma, count=5, centre=1.0, seed=0):
    return centre * np.exp(RNG(seed).normal(0, sigma, count))


@pytest.mark.parametrize("low, high, p, floor, expected", [
    (0.990, 1.010, 0.5, 0.02, "same"),
    (0.985, 1.019, 0.001, 0.02, "same"),        # a sure difference that nobody should care about
    (0.80, 0.90, 0.008, 0.02, "better"),
    (1.10, 1.20, 0.008, 0.02, "worse"),
    (0.97, 0.99, 0.008, 0.02, "ambiguous"),     # beyond chance, not beyond the margin
    (0.90, 1.10, 0.5, 0.02, "ambiguous"),
    (1.03, 1.05, 0.008, 0.06, "ambiguous"),     # below the A/A floor
    (1.10, 1.20, 0.1, 0.02, "ambiguous"),       # three processes cannot show more
])
def test_the_word_follows_interval_margin_floor_and_chance(low, high, p, floor, expected):
    assert stats.word(low, high, p, floor) == expected


def test_over_200_a_a_pairs_at_most_1_percent_are_called_a_difference():
    """The rule of the experiment, on the noise of this kind of machine: 1 % scatter, one process in ten 5 % slower."""
    rng, wrong = RNG(7), 0
    for pair in range(200):
        halves = np.exp(rng.normal(0, 0.01, (2, 5))) * np.where(rng.random((2, 5)) < 0.1, 1.05, 1.0)
        wrong += stats.ratio(*halves, seed=pair, resamples=1500).verdict in ("better", "worse")
    assert wrong <= 2


@pytest.mark.parametrize("sigma", [0.003, 0.03, 0.3])
def test_false_verdicts_stay_rare_at_any_noise(sigma):
    rng = RNG(11)
    words = [stats.ratio(*np.exp(rng.normal(0, sigma, (2, 5))), seed=i, resamples=1000).verdict for i in range(500)]
    assert sum(w in ("better", "worse") for w in words) <= 7   # 1 % of 500, and what luck may add


def test_a_real_difference_is_found_with_its_sign():
    slow, fast = draws(0.01, centre=1.15, seed=1), draws(0.01, seed=2)
    assert stats.ratio(fast, slow).verdict == "worse" and stats.ratio(slow, fast).verdict == "better"
    assert stats.ratio(fast, slow).value == pytest.approx(1.15, rel=0.03)


def test_the_same_data_give_the_same_interval_again():
    a, b = draws(0.02, seed=3), draws(0.02, seed=4)
    assert stats.ratio(a, b, seed="x") == stats.ratio(a, b, seed="x")


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng, hits = RNG(5), 0
    for i in range(400):
        found = stats.ratio(*(np.exp(rng.normal(0, 0.05, 5)) * np.array([[1.0], [1.3]])), seed=i, resamples=1000)
        hits += found.low <= 1.3 <= found.high
    assert 0.93 <= hits / 400 <= 1.0


def test_one_process_has_no_interval_and_no_verdict():
    found = stats.ratio([1.0], [2.0])
    assert found.verdict == "ambiguous" and found.high == float("inf")


def test_a_detectable_effect_is_detected_and_a_third_of_it_is_not():
    rng = RNG(13)
    sample = np.exp(rng.normal(0, 0.02, (400, 5)))
    effect = float(np.median([stats.detectable_effect(s) for s in sample]))
    found = [stats.ratio(np.exp(rng.normal(0, 0.02, 5)), (1 + effect) * np.exp(rng.normal(0, 0.02, 5)), seed=i, resamples=800).verdict
             for i in range(150)]
    small = [stats.ratio(np.exp(rng.normal(0, 0.02, 5)), (1 + effect / 3) * np.exp(rng.normal(0, 0.02, 5)), seed=i, resamples=800).verdict
             for i in range(150)]
    assert found.count("worse") >= 0.65 * 150 and small.count("worse") <= 0.2 * 150
    assert stats.detectable_effect([1.0, 1.01, 0.99]) == float("inf")   # three a side never suffice


def test_outliers_are_classed_and_kept():
    values = [100, 101, 100.5, 99.5, 100.2, 99.8, 106, 400]
    assert stats.outliers(values) == (1, 1)
    assert stats.summary(values).mean > 110


def test_the_floor_comes_from_labels_and_serves_its_own_place(loaded):
    maker = make_runs.Maker(sigma=0.001)
    for label, ns in (("a", 1000), ("b", 1060)):
        maker.cell("native", "append", ns, options=make_runs.OPTIONS["native"] | {"label": label})
        maker.cell("native", "read", 400, options=make_runs.OPTIONS["native"] | {"label": label})
    maker.cell("native", "append", 1000, options=make_runs.OPTIONS["native"] | {"data": "inplace"})
    floor = tables.floor(loaded(maker))
    assert len(floor.pairs) == 2
    assert floor.at(workload="append") == pytest.approx(0.06, abs=0.005)
    assert floor.at(workload="read") == stats.MARGIN
    assert floor.at(workload="stat") == pytest.approx(0.06, abs=0.005)   # no pair there: the largest of the run


def test_without_a_pair_the_margin_alone_is_the_floor(loaded):
    maker = make_runs.Maker()
    maker.cell("native", "append", 1000)
    floor = tables.floor(loaded(maker))
    assert not floor.measured and floor.at(workload="append") == stats.MARGIN
