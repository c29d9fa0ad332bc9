"""Figures against scipy and by hand; intervals by simulation."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import kendalltau, pearsonr, spearmanr

from sriqa_metric.calibrate.evaluation.mos import mos_statistics
from sriqa_metric.calibrate.statistics import (
    LogisticFit,
    Statistic,
    _draws,
    _unexplained,
    choices,
    difference,
    estimate,
    image_pairs_right,
    krcc,
    method_srcc,
    pairs_right,
    plcc,
    severity_right,
    srcc,
    two_afc,
)


def test_correlations_are_scipys(rng):
    for _ in range(20):
        x, y = rng.integers(0, 9, (2, 30)).astype(float)  # with ties
        assert srcc(x, y) == pytest.approx(spearmanr(x, y).statistic)
        assert krcc(x, y) == pytest.approx(kendalltau(x, y).statistic)
        assert plcc(x, y) == pytest.approx(pearsonr(x, y).statistic)


def test_correlations_by_hand():
    x, y = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 10])
    assert srcc(x, y) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert krcc(x, y) == pytest.approx((5 - 1) / 6)


@pytest.mark.parametrize("figure", [srcc, krcc, plcc])
def test_what_does_not_vary_has_no_correlation(figure):
    x = np.arange(5.0)
    assert np.isnan(figure(x, np.ones(5)))
    assert np.isnan(figure(np.ones(5), x))


def test_2afc_by_hand():
    q = choices(np.array([2.0, 1, 1]), np.array([1.0, 2, 1]))
    assert q.tolist() == [1, 0, 0.5]
    p = np.array([0.9, 0.9, 0.9])
    assert two_afc(p, q) == pytest.approx([0.9, 0.1, 0.5])


def logistic(s, a, b, c, k):
    return b + (a - b) / (1 + np.exp(-k * (s - c)))


@pytest.mark.parametrize("sign", [1, -1])
def test_logistic_fit_is_the_least_squares_fit(rng, sign):
    scores = rng.normal(3, 2, 400)
    mos = logistic(scores, 90, 10, 4, sign * 1.3) + rng.normal(0, 5, 400)
    found, _ = curve_fit(logistic, scores, mos, (90, 10, 4, sign * 1.3))
    expected = pearsonr(logistic(scores, *found), mos).statistic
    fit = LogisticFit(scores, mos)
    assert fit.plcc(np.arange(400)) == pytest.approx(expected, abs=1e-6)
    assert fit.plcc(np.arange(400)) > abs(plcc(scores, mos))


def test_logistic_fit_reaches_its_limits(rng):
    s = rng.normal(0, 1, 200)
    rows = np.arange(200)
    assert LogisticFit(s, 2 * s + 1).plcc(rows) == pytest.approx(1, abs=1e-6)  # no bend
    assert LogisticFit(s, np.exp(s)).plcc(rows) == pytest.approx(1, abs=1e-6)  # no upper end
    assert LogisticFit(s, (s > 0) * 1.0).plcc(rows) > 0.99  # a step
    outlier = np.append(s[:-1], 1e9)
    assert LogisticFit(outlier, s).plcc(rows) > 0.95
    assert np.isnan(LogisticFit(np.ones(200), s).plcc(rows))
    assert np.isnan(LogisticFit(s[:4], s[:4]).plcc(np.arange(4)))


def test_slope_of_the_fit(rng):
    scores, mos = rng.normal(0, 1, (2, 50))
    mos -= mos.mean()
    for where in rng.normal(0, 1, (5, 2)):
        _, slope = _unexplained(where, scores, mos)
        for k in range(2):
            step = np.eye(2)[k] * 1e-6
            up, down = (_unexplained(where + s, scores, mos)[0] for s in (step, -step))
            assert slope[k] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-8)


def test_mos_figures_have_their_names(rng):
    scores = rng.normal(0, 1, 50)
    figures = mos_statistics("all", scores, scores**3, np.arange(50))
    values = {s.figure: s.of(np.arange(50)) for s in figures}
    assert list(values) == ["SRCC", "KRCC", "PLCC raw", "PLCC logistic"]
    assert values["SRCC"] == pytest.approx(1)
    assert values["PLCC raw"] < values["PLCC logistic"]


def test_resamples_are_whole_clusters(rng):
    clusters = np.array([7, 3, 7, 3, 3, 9])
    for rows in _draws(clusters, 50, 0):
        drawn, counts = np.unique(clusters[rows], return_counts=True)
        size = {3: 3, 7: 2, 9: 1}
        times = [c / size[k] for k, c in zip(drawn.tolist(), counts.tolist(), strict=True)]
        assert all(t == int(t) for t in times)
        assert sum(times) == 3
        _, each = np.unique(rows, return_counts=True)
        assert sorted(set(each.tolist())) == sorted({int(t) for t in times})
    assert [r.tolist() for r in _draws(clusters, 3, 1)] == [
        r.tolist() for r in _draws(clusters, 3, 1)
    ]


def mean_of(values, clusters):
    return Statistic("all", "mean", lambda rows: float(values[rows].mean()), clusters)


@pytest.mark.parametrize("size", [1, 5])
def test_intervals_cover(rng, size):
    """Contents with a common part: whole clusters give about 95 %, single rows far less."""
    clusters = np.repeat(np.arange(40), size)
    covered, naive = 0, 0
    for seed in range(100):
        values = rng.normal(0, 1, 40)[clusters] + rng.normal(0, 0.3, 40 * size)
        found = estimate(mean_of(values, clusters), 100, seed)
        covered += found.low <= 0 <= found.high
        alone = estimate(mean_of(values, np.arange(len(values))), 100, seed)
        naive += alone.low <= 0 <= alone.high
    assert covered / 100 >= 0.86
    if size == 5:
        assert naive / 100 < 0.75


def test_srcc_interval_covers(rng):
    true = 6 / np.pi * np.arcsin(0.7 / 2)  # of normal variables with correlation 0.7
    covered = 0
    for seed in range(100):
        x, noise = rng.normal(0, 1, (2, 120))
        y = 0.7 * x + np.sqrt(1 - 0.49) * noise
        figure = Statistic("all", "SRCC", lambda r, x=x, y=y: srcc(x[r], y[r]), np.arange(120))
        found = estimate(figure, 100, seed)
        covered += found.low <= true <= found.high
    assert covered / 100 >= 0.86


def test_undefined_resamples_widen_and_undefined_values_have_no_interval():
    values = np.array([0.0, 0, 0, 1])
    found = estimate(mos_statistics("all", values, np.arange(4.0), np.arange(4))[0], 200)
    assert (found.low, found.high) == (-np.inf, np.inf)  # a third of the draws lack the 1
    constant = estimate(mos_statistics("all", np.ones(4), np.arange(4.0), np.arange(4))[0], 20)
    assert np.isnan([constant.value, constant.low, constant.high]).all()
    none = estimate(Statistic("all", "mean", lambda rows: 1.0, np.array([], dtype=int)), 20)
    assert np.isnan(none.value)
    assert none.n == 0


def test_without_resamples_there_is_no_interval(rng):
    found = estimate(mean_of(rng.random(9), np.arange(9)), 0)
    assert np.isnan(found.low)
    assert np.isnan(difference(found, found)[1:]).all()


def test_differences_are_paired(rng):
    common = rng.normal(0, 10, 60)
    a = estimate(mean_of(common + 1 + rng.normal(0, 0.5, 60), np.arange(60)), 500)
    b = estimate(mean_of(common, np.arange(60)), 500)
    value, low, high, p = difference(a, b)
    assert value == pytest.approx(1, abs=0.3)
    assert 0 < low < high < 2  # though each alone is known to ±2.5
    assert p == pytest.approx(2 / 501)
    assert difference(b, a)[:3] == pytest.approx((-value, -high, -low))
    assert difference(a, a) == (0, 0, 0, 1)


def test_p_is_uniform_without_a_difference(rng):
    ps = []
    for seed in range(100):
        a, b = rng.normal(0, 1, (2, 50))
        found = [estimate(mean_of(x, np.arange(50)), 100, seed) for x in (a, b)]
        ps.append(difference(*found)[3])
    assert np.mean(np.array(ps) < 0.05) <= 0.13
    assert 0.36 <= np.mean(np.array(ps) < 0.5) <= 0.66


MU = np.array([2.0, 1.0, 0.0])
SCORES = np.array([[3.0, 1.0], [1.0, 1.5], [0.0, 2.0]])  # means 2, 1.25, 1


def test_figures_of_a_worked_example():
    assert method_srcc(SCORES, MU) == pytest.approx(1)
    assert pairs_right(SCORES, MU) == 1
    assert image_pairs_right(SCORES, MU) == pytest.approx(3 / 6)
    assert pairs_right(-SCORES, MU) == 0


def test_ties_of_scores_count_half_and_equal_ranks_not_at_all():
    assert pairs_right(np.zeros((3, 4)), MU) == 0.5
    assert pairs_right(SCORES, np.array([1.0, 1.0, 0.0])) == 1
    assert np.isnan(pairs_right(SCORES, np.zeros(3)))


def test_only_pairs_with_the_named_methods_count():
    scores = np.array([[0.0], [1.0], [2.0]])
    assert pairs_right(scores, np.array([1.0, 0.0, 2.0]), among={2}) == 1
    assert pairs_right(scores, np.array([1.0, 0.0, 2.0]), among={0}) == 0.5


def test_severity_counts_all_pairs_of_a_ladder():
    assert severity_right(np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])) == pytest.approx(5 / 6)
