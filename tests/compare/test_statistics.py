"""Formulas against scipy called directly, worked examples and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sriqa_metric.compare.statistics import (
    differences,
    effect_size,
    fewest_contents,
    half_intervals,
    holm,
    needed_contents,
    signed_rank,
)


@pytest.mark.parametrize("n", [1, 2, 5, 13, 14, 50, 51, 300])
def test_p_value_is_scipys(rng, n):
    a, b = rng.normal(0.3, 1, n), rng.normal(0, 1, n)
    p_value, sign = signed_rank(differences(a, b))
    found = stats.wilcoxon(a, b)
    assert p_value == pytest.approx(found.pvalue, rel=1e-12)
    above = stats.wilcoxon(a, b, alternative="greater").statistic
    assert sign == np.sign(above - n * (n + 1) / 4)


@pytest.mark.parametrize("n", [4, 9, 13, 14, 40, 50, 51, 200])
def test_p_value_is_scipys_with_ties_and_zeros(rng, n):
    a, b = rng.integers(0, 6, n), rng.integers(0, 5, n)
    p_value, _ = signed_rank(differences(a, b))
    assert p_value == pytest.approx(stats.wilcoxon(a - b).pvalue, rel=1e-9)


def test_p_value_of_wilcoxons_own_example():
    # Cross- and self-fertilised corn plants, Wilcoxon (1945): T = 24, p = 0.041.
    gaps = np.array([6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75.0])
    p_value, sign = signed_rank(gaps)
    assert p_value == pytest.approx(0.041259765625)
    assert sign == 1


def test_p_value_by_hand():
    # Ranks 1, 2.5, 2.5; zero left out. Of 8 sign patterns, all + and all - are as extreme: 2/8.
    assert signed_rank(np.array([1.0, 2, 2, 0])) == (0.25, 1)
    assert signed_rank(np.array([-3.0])) == (1.0, -1)
    assert signed_rank(np.array([1.0, -1])) == (1.0, 0)
    assert signed_rank(np.zeros(100)) == (1.0, 0)


def test_holm_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04 -> 0.06.
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])).tolist() == [1, 1]
    assert holm(np.array([0.2])).tolist() == [0.2]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms())
def test_holm_keeps_order_and_never_falls_below(p_values, random):
    found = holm(np.array(p_values))
    assert (found >= p_values).all()
    assert (found <= 1).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    places = list(range(len(p_values)))
    random.shuffle(places)
    assert holm(np.array(p_values)[places]).tolist() == found[places].tolist()


def test_interval_is_scipys(rng):
    scores = rng.normal(3, 2, (4, 17))
    for row, half in zip(scores, half_intervals(scores), strict=True):
        low, high = stats.t.interval(0.95, 16, row.mean(), stats.sem(row))
        assert row.mean() - half == pytest.approx(low)
        assert row.mean() + half == pytest.approx(high)
    assert half_intervals(scores[:, :1]) is None


def test_interval_covers_the_mean_in_95_percent(rng):
    scores = rng.normal(1, 2, (4000, 12))
    covered = np.abs(scores.mean(1) - 1) <= half_intervals(scores)
    assert 0.94 < covered.mean() < 0.96


def test_no_false_alarms_beyond_5_percent(rng):
    found = [signed_rank(rng.normal(size=20))[0] < 0.05 for _ in range(1000)]
    assert 0.03 < np.mean(found) < 0.065


def test_effect_by_hand():
    assert effect_size(np.array([1.0, 2, 3])) == 2
    assert effect_size(np.zeros(5)) == 0
    assert effect_size(np.array([1.0, -1])) == 0
    assert effect_size(np.full(5, 0.25)) is None
    assert effect_size(np.array([0.25])) is None
    assert effect_size(np.array([0.25, 0.25 + 1e-6]), tolerance=1e-5) is None


def test_needed_by_hand():
    # (1.959964 + 0.841621)² = 7.848880; / 0.25 · π/3 = 32.877
    assert needed_contents(0.5) == 33
    assert needed_contents(-0.5) == 33
    assert needed_contents(0.0) is None
    assert needed_contents(None) is None
    assert needed_contents(10.0) == fewest_contents() == 6


def test_needed_contents_give_the_power(rng):
    effect = 0.4
    n = needed_contents(effect)
    found = [signed_rank(rng.normal(effect, 1, n))[0] < 0.05 for _ in range(1000)]
    assert 0.76 < np.mean(found) < 0.84


@pytest.mark.parametrize("pairs", [1, 2, 3, 10, 66])
def test_fewer_contents_cannot_reach_a_verdict(pairs):
    n = fewest_contents(pairs)
    assert signed_rank(np.arange(1.0, n + 1))[0] * pairs < 0.05
    assert signed_rank(np.arange(1.0, n))[0] * pairs >= 0.05


def test_differences_are_those_on_paper():
    found = differences(np.array([0.3, 0.4, 1.1, 5.0]), np.array([0.1, 0.2, 1.3, 5.0]))
    assert found[0] == found[1] == -found[2]
    assert found[3] == 0
    assert found == pytest.approx([0.2, 0.2, -0.2, 0], abs=1e-11)
    assert differences(np.zeros(3), np.zeros(3)).tolist() == [0, 0, 0]
    assert differences(np.array([1.0]), np.array([1.000009]), 1e-5).tolist() == [0]


@pytest.mark.parametrize("scale", [1e-70, 1e-9, 1.0, 1e9, 1e99])
def test_scale_changes_nothing(rng, scale):
    a, b = rng.normal(0.5, 1, 30), rng.normal(0, 1, 30)
    gaps, scaled = differences(a, b), differences(a * scale, b * scale)
    assert signed_rank(scaled) == signed_rank(gaps)
    assert effect_size(scaled) == pytest.approx(effect_size(gaps), rel=1e-9)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=60))
def test_mirror(scores):
    a, b = np.array(scores, float).T / 7
    gaps, mirrored = differences(a, b), differences(b, a)
    assert (gaps == -mirrored).all()
    (p_value, sign), (p_mirrored, sign_mirrored) = signed_rank(gaps), signed_rank(mirrored)
    assert p_value == p_mirrored
    assert sign == -sign_mirrored
    assert 0 < p_value <= 1
    effect, other = effect_size(gaps), effect_size(mirrored)
    assert effect == (None if other is None else -other)
    if effect is not None:
        assert math.isfinite(effect)
