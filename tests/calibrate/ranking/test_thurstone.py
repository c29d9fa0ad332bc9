import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import OptimizeResult
from scipy.special import log_ndtr, ndtr

from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.ranking import thurstone as ranking
from sriqa_metric.calibrate.ranking.thurstone import (
    ConvergenceError,
    DisconnectedError,
    UnboundedError,
    bootstrap_scores,
    check_ranking_exists,
    clustered_counts,
    gradient,
    hessian,
    objective,
    thurstone_counts,
)
from sriqa_metric.calibrate.statistics import interval
from sriqa_metric.errors import SriqaError

N = 5
priors = st.sampled_from([None, 0.5, 4.0])
scores = arrays(float, N, elements=st.floats(-3, 3))
# Every method won and lost against every other: the maximum always exists.
some_counts = arrays(np.int64, (N, N), elements=st.integers(1, 40)).map(
    lambda counts: counts * (1.0 - np.eye(N))
)


def simulated(mu, votes_per_pair, rng):
    """Counts of votes drawn from Thurstone's model."""
    counts = np.zeros((len(mu), len(mu)))
    for i, j in zip(*np.triu_indices(len(mu), 1), strict=True):
        counts[i, j] = rng.binomial(votes_per_pair, ndtr(mu[i] - mu[j]))
        counts[j, i] = votes_per_pair - counts[i, j]
    return counts


@pytest.fixture(scope="module")
def published(real_data):
    return read_votes(real_data / "realsr1k" / "votes.csv")


def counts_of(votes):
    n = len(votes.methods)
    cells = clustered_counts(votes.first, votes.second, votes.wins, votes.total, n)
    return cells.toarray().reshape(n, n)


def choix_scores(counts):
    """Posterior means under a wide prior, by expectation propagation."""
    choix = pytest.importorskip("choix")
    data = [pair for pair in np.argwhere(counts) for _ in range(int(counts[tuple(pair)]))]
    np.random.default_rng(0).shuffle(data)
    mean, _ = choix.ep_pairwise(len(counts), [tuple(pair) for pair in data], 1e-3, model="probit")
    return mean - mean.mean()


def central_differences(function, mu, *arguments):
    steps = 1e-5 * np.eye(len(mu))
    return np.stack(
        [(function(mu + s, *arguments) - function(mu - s, *arguments)) / 2e-5 for s in steps]
    )


@given(mu=scores, counts=some_counts, prior=priors)
@settings(max_examples=50, deadline=None)
def test_gradient_and_hessian_match_finite_differences(mu, counts, prior):
    numeric = central_differences(objective, mu, counts, prior)
    size = 1 + np.abs(numeric).max()
    assert np.abs(gradient(mu, counts, prior) - numeric).max() < 1e-4 * size
    numeric = central_differences(gradient, mu, counts, prior)
    size = 1 + np.abs(numeric).max()
    assert np.abs(hessian(mu, counts, prior) - numeric).max() < 1e-4 * size


def test_derivatives_far_out_are_finite_and_right():
    counts = np.array([[0.0, 1.0], [1.0, 0.0]])
    for distance in (50.0, 1e4):
        mu = np.array([-distance / 2, distance / 2])
        assert np.isfinite(objective(mu, counts))
        # For x far below zero the slope of -log Φ(x) is |x| and its curvature is 1.
        assert gradient(mu, counts) == pytest.approx([-distance, distance], rel=1e-3)
        assert hessian(mu, counts)[0, 0] == pytest.approx(1, rel=1e-2)


@given(counts=some_counts, prior=priors, order=st.permutations(range(N)))
@settings(max_examples=30, deadline=None)
def test_what_a_ranking_does_not_depend_on(counts, prior, order):
    fit = thurstone_counts(counts, prior_variance=prior)
    assert abs(fit.mu.mean()) < 1e-9
    assert np.abs(gradient(fit.mu, counts, prior)).max() < 1e-6
    shuffled = thurstone_counts(counts[np.ix_(order, order)], prior_variance=prior)
    assert np.abs(shuffled.mu - fit.mu[order]).max() < 1e-7
    turned = thurstone_counts(counts.T, prior_variance=prior)
    assert np.abs(turned.mu + fit.mu).max() < 1e-7
    if prior is None:
        assert np.abs(thurstone_counts(7 * counts).mu - fit.mu).max() < 1e-7
    started = thurstone_counts(counts, prior_variance=prior, start=np.linspace(-9, 9, N))
    assert np.abs(started.mu - fit.mu).max() < 1e-7


def test_two_methods_have_a_closed_form():
    fit = thurstone_counts(np.array([[0, 30], [10, 0]]))
    assert ndtr(fit.mu[0] - fit.mu[1]) == pytest.approx(0.75)
    assert fit.win_probability()[0, 1] == pytest.approx(0.75)
    assert fit.log_likelihood == pytest.approx(30 * np.log(0.75) + 10 * np.log(0.25))


def test_agrees_with_choix(rng):
    counts = simulated(np.array([-0.9, -0.4, 0.0, 0.3, 1.0]), 60, rng)
    mu = thurstone_counts(counts).mu
    other = choix_scores(counts)
    assert np.argsort(mu).tolist() == np.argsort(other).tolist()
    assert np.abs(mu - other).max() < 0.05


def test_published_votes_agree_with_choix(published):
    counts = counts_of(published)
    mu = thurstone_counts(counts, published.methods).mu
    other = choix_scores(counts)
    assert np.argsort(mu).tolist() == np.argsort(other).tolist()
    assert np.abs(mu - other).max() < 0.05


def test_published_votes_give_the_findings_of_the_paper(published):
    fit = thurstone_counts(counts_of(published), published.methods)
    order = [published.methods[k] for k in np.argsort(-fit.mu)]
    assert order[0] == "SeeSR"
    assert set(order[:5]) == {"SeeSR", "StableSR", "DiffBIR", "ResShift", "SinSR"}
    assert order[5] == "USRGAN"


def test_planted_scores_lie_in_the_asymptotic_intervals(rng):
    planted = np.linspace(-1, 1, 8)
    inside = []
    for _ in range(60):
        fit = thurstone_counts(simulated(planted, 40, rng))
        inside.append(np.abs(fit.mu - planted) < 1.96 * np.sqrt(np.diag(fit.covariance)))
    assert 0.92 < np.mean(inside) < 0.98


def simulated_on_contents(mu, contents, votes, spread, rng):
    """Every pair on every content; on a content a method's score is off by N(0, spread²)."""
    first, second = np.triu_indices(len(mu), 1)
    first, second = np.tile(first, contents), np.tile(second, contents)
    content = np.repeat(np.arange(contents), len(first) // contents)
    off = mu + rng.normal(0, spread, (contents, len(mu)))
    p = ndtr(off[content, first] - off[content, second])
    total = np.full(len(p), float(votes))
    return first, second, rng.binomial(votes, p).astype(float), total, content


def test_planted_scores_lie_in_the_bootstrap_intervals(rng):
    planted = np.linspace(-1, 1, 8)
    inside = []
    for seed in range(6):
        *votes, content = simulated_on_contents(planted, 40, 5, 0.0, rng)
        clusters = clustered_counts(*votes, 8, content)
        mu = thurstone_counts(clusters.sum(0).reshape(8, 8)).mu
        low, high = interval(bootstrap_scores(clusters, mu, 100, seed=seed))
        assert (low < mu).all()
        assert (mu < high).all()
        inside.append((low < planted) & (planted < high))
    assert np.mean(inside) > 0.85


def test_the_bootstrap_sees_that_votes_on_one_content_go_together(rng):
    *votes, content = simulated_on_contents(np.linspace(-1, 1, 6), 30, 20, 0.7, rng)
    clusters = clustered_counts(*votes, 6, content)
    fit = thurstone_counts(clusters.sum(0).reshape(6, 6))
    low, high = interval(bootstrap_scores(clusters, fit.mu, 200))
    asymptotic = 2 * 1.96 * np.sqrt(np.diag(fit.covariance))
    assert ((high - low) > 1.5 * asymptotic).all()


def test_the_bootstrap_repeats_itself_for_a_seed(rng):
    *votes, content = simulated_on_contents(np.zeros(4), 9, 5, 0, rng)
    clusters = clustered_counts(*votes, 4, content)
    once, again, other = (bootstrap_scores(clusters, np.zeros(4), 5, seed=s) for s in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()


def test_resamples_without_a_ranking_are_kept_and_count_against_the_interval():
    # A wins in content 0 and loses in content 1: half of the resamples draw one of them twice.
    first, second, one = np.array([0, 0]), np.array([1, 1]), np.ones(2)
    clusters = clustered_counts(first, second, np.array([1.0, 0.0]), one, 2, np.array([0, 1]))
    samples = bootstrap_scores(clusters, np.zeros(2), 200)
    lost = np.isnan(samples[:, 0])
    assert 0.4 < lost.mean() < 0.6
    low, high = interval(samples)
    assert (low == -np.inf).all()
    assert (high == np.inf).all()
    assert np.isfinite(bootstrap_scores(clusters, np.zeros(2), 200, prior_variance=1)).all()


def test_a_few_resamples_without_a_ranking_widen_the_interval():
    samples = np.linspace(0, 1, 1000)[:, None]
    low, high = interval(samples)
    samples[500:520] = np.nan
    wider_low, wider_high = interval(samples)
    assert wider_low < low < high < wider_high
    assert np.isfinite([wider_low, wider_high]).all()


@pytest.mark.answers(
    "Study and votes",
    "votes that do not connect all methods",
    "error: names the sets of methods between which there are none; more votes, or a prior",
)
def test_disconnected_methods_are_named():
    counts = np.zeros((4, 4))
    counts[0, 2] = counts[2, 0] = counts[1, 3] = counts[3, 1] = 5
    with pytest.raises(DisconnectedError, match=r"2 sets of methods: A, C; B, D\. .*prior"):
        thurstone_counts(counts, "ABCD")
    fit = thurstone_counts(counts, "ABCD", prior_variance=1)
    assert np.abs(fit.mu).max() < 1e-9


@pytest.mark.answers(
    "Study and votes",
    "a method that won, or lost, every vote",
    "error: names it, and all sets of methods between which votes go one way",
)
@pytest.mark.parametrize(
    ("winners", "message"),
    [
        ([0], r"^A won every vote against the other methods; B, C lost every .*prior"),
        ([0, 1], "^A, B won every vote against the other methods; C lost every vote"),
    ],
)
def test_methods_that_won_or_lost_every_vote_are_named(winners, message):
    counts = (1 - np.eye(3)) * 5
    best = np.isin(np.arange(3), winners)
    counts[np.ix_(~best, best)] = 0
    with pytest.raises(UnboundedError, match=message):
        thurstone_counts(counts, "ABC")
    for variance in (0.01, 1.0, 1e4):
        fit = thurstone_counts(counts, "ABC", prior_variance=variance)
        assert fit.mu[best].min() > fit.mu[~best].max()


def test_a_strict_order_by_every_vote_has_no_ranking():
    with pytest.raises(UnboundedError, match=r"^A won every .*; C lost every .* these 3 sets"):
        check_ranking_exists(np.triu(np.ones((3, 3)), 1), "ABC")
    # Two circles between the ends: all of their methods are named.
    counts = np.triu(np.ones((6, 6)), 1)
    counts[2, 1] = counts[4, 3] = 1
    with pytest.raises(UnboundedError, match=r"^A won .*; F lost .* 4 sets of") as error:
        check_ranking_exists(counts, "ABCDEF")
    sets = str(error.value).partition("go one way: ")[2].partition(".")[0].split("; ")
    assert sorted(sets) == ["A", "B, C", "D, E", "F"]
    check_ranking_exists(np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), "ABC")  # a circle has one


def test_a_single_lost_vote_is_enough():
    counts = np.array([[0, 99999, 50], [1, 0, 50], [50, 50, 0]])
    fit = thurstone_counts(counts)
    assert np.abs(gradient(fit.mu, counts.astype(float))).max() < 1e-3
    counts = np.array([[0, 1e9], [1, 0]])
    assert thurstone_counts(counts).win_probability()[1, 0] == pytest.approx(1e-9, rel=1e-3)


def test_chains_of_methods_and_half_votes():
    n = 40
    counts = np.diag(np.full(n - 1, 3.5), 1) + np.diag(np.full(n - 1, 1.5), -1)
    mu = thurstone_counts(counts).mu
    steps = mu[:-1] - mu[1:]
    assert ndtr(steps) == pytest.approx(np.full(n - 1, 0.7))


def test_failure_to_converge_is_an_error(monkeypatch):
    lost = OptimizeResult(x=np.array([-500.0, 500.0]), success=False, message="Lost.")
    monkeypatch.setattr(ranking, "minimize", lambda *args, **kwargs: lost)
    monkeypatch.setattr(ranking, "_newton", lambda counts, prior, start: (start, 1.0))
    with pytest.raises(ConvergenceError, match=r"did not converge: Lost\. Gradient .*prior"):
        thurstone_counts(np.array([[0, 3], [2, 0]]))


@pytest.mark.parametrize(
    ("counts", "variance", "message"),
    [
        ([[0, -1], [2, 0]], None, "-1.0 votes for A over B"),
        ([[0, np.nan], [2, 0]], None, "nan votes for A over B"),
        ([[1, 1], [2, 0]], None, "1.0 votes for A over A"),
        ([[0, 1, 2], [2, 0, 1]], None, r"counts of shape \(2, 3\)"),
        ([[0, 1], [2, 0]], 0.0, "prior variance is 0.0"),
        ([[0, 1], [2, 0]], -1.0, "prior variance is -1.0"),
        ([[0, 1], [2, 0]], np.inf, "prior variance is inf"),
    ],
)
def test_wrong_counts_and_priors(counts, variance, message):
    with pytest.raises(SriqaError, match=message):
        thurstone_counts(np.array(counts), "AB", variance)


def test_the_prior_shrinks_scores_and_is_its_maximum(rng):
    counts = simulated(np.linspace(-1, 1, 5), 20, rng)
    free, held = thurstone_counts(counts), thurstone_counts(counts, prior_variance=0.01)
    assert np.ptp(held.mu) < np.ptp(free.mu)
    assert np.trace(held.covariance) < np.trace(free.covariance)
    difference = held.mu[:, None] - held.mu
    assert held.log_likelihood == pytest.approx((counts * log_ndtr(difference)).sum())
    assert free.log_likelihood > held.log_likelihood


def test_covariance_is_that_of_repeated_votes(rng):
    planted = np.array([-0.6, 0.0, 0.1, 0.5])
    mus = np.array([thurstone_counts(simulated(planted, 200, rng)).mu for _ in range(200)])
    fit = thurstone_counts(simulated(planted, 200, rng))
    assert np.diag(fit.covariance) == pytest.approx(np.var(mus, axis=0), rel=0.3)
    assert fit.covariance.sum(1) == pytest.approx(np.zeros(4), abs=1e-9)


def test_two_hundred_methods(rng):
    planted = rng.normal(0, 0.7, 200)
    planted -= planted.mean()
    fit = thurstone_counts(simulated(planted, 50, rng))
    error = np.abs(fit.mu - planted) / np.sqrt(np.diag(fit.covariance))
    assert 0.9 < (error < 1.96).mean() < 0.99
