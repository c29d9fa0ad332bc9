"""Global ranking of SR methods from votes: Thurstone's model, fitted by maximum likelihood.

Eq. (2) of Chen et al., "Learning from Model Rankings Improves Blind Super-Resolution Image
Quality Assessment": the scores μ maximise Σ_ij C_ij log Φ(μ_i − μ_j) with mean zero, where C_ij
is the number of votes for method i over method j and a tie is half a vote for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.special import erfcx, log_ndtr, ndtr

from ...errors import SriqaError
from ...files import listed

GRADIENT_PER_VOTE = 1e-9
PRIOR_HINT = "or set a prior variance (--prior-variance, say 4), which keeps every score finite"


class DisconnectedError(SriqaError):
    """Some methods were never compared with the others, directly or through a third method."""


class UnboundedError(SriqaError):
    """Some methods won, or lost, every vote against the others: their scores have no maximum."""


class ConvergenceError(SriqaError):
    """The maximum of the likelihood was not reached."""


@dataclass(frozen=True)
class ThurstoneFit:
    """Scores of N methods, in the order of the counts.

    Parameters
    ----------
    mu : ndarray, (N,)
        Scores, mean zero.
    covariance : ndarray, (N, N)
        Asymptotic covariance of the scores, as if all votes were independent.
    log_likelihood : float
        Σ C_ij log Φ(μ_i − μ_j), without the prior.
    """

    mu: np.ndarray
    covariance: np.ndarray
    log_likelihood: float

    def win_probability(self) -> np.ndarray:
        """(N, N): the probability Φ(μ_i − μ_j) that i gets a vote against j."""
        return ndtr(self.mu[:, None] - self.mu[None, :])


def objective(mu: np.ndarray, counts: np.ndarray, prior_variance: float | None = None) -> float:
    """Negative log-likelihood, Eq. (2), plus the negative log-density of the prior N(0, V)."""
    penalty = 0.0 if prior_variance is None else mu @ mu / (2 * prior_variance)
    return float(penalty - (counts * log_ndtr(mu[:, None] - mu[None, :])).sum())


def gradient(mu: np.ndarray, counts: np.ndarray, prior_variance: float | None = None) -> np.ndarray:
    """Gradient of the objective, (N,)."""
    slope = counts * _hazard(mu[:, None] - mu[None, :])
    penalty = 0.0 if prior_variance is None else mu / prior_variance
    return penalty + slope.sum(0) - slope.sum(1)


def hessian(mu: np.ndarray, counts: np.ndarray, prior_variance: float | None = None) -> np.ndarray:
    """Hessian of the objective, (N, N)."""
    difference = mu[:, None] - mu[None, :]
    hazard = _hazard(difference)
    curvature = counts * hazard * (hazard + difference)
    curvature = curvature + curvature.T
    penalty = 0.0 if prior_variance is None else 1 / prior_variance
    return np.diag(curvature.sum(1) + penalty) - curvature


def _hazard(x: np.ndarray) -> np.ndarray:
    """φ(x)/Φ(x), without cancellation or overflow at either end."""
    with np.errstate(over="ignore"):
        return np.sqrt(2 / np.pi) / erfcx(-x / np.sqrt(2))


def thurstone_counts(
    counts: np.ndarray,
    names: Sequence[str] | None = None,
    prior_variance: float | None = None,
    start: np.ndarray | None = None,
) -> ThurstoneFit:
    """Fit Thurstone's model to a matrix of counts.

    Parameters
    ----------
    counts : ndarray, (N, N)
        Votes for the row's method over the column's; ties count half in both directions.
    names : sequence of str, optional
        Methods' names, for the errors.
    prior_variance : float, optional
        Variance of a Gaussian prior on every score. Without one, the maximum may not exist.
    start : ndarray, (N,), optional
        Where to start.

    Raises
    ------
    DisconnectedError
        If some methods were never compared with the others (only without a prior).
    UnboundedError
        If some methods won or lost every vote against the others (only without a prior).
    ConvergenceError
        If the maximum was not reached.
    SriqaError
        For counts that are not square, finite and non-negative with a zero diagonal, or a prior
        variance that is not positive.
    """
    counts = np.asarray(counts, dtype=float)
    mu = thurstone_scores(counts, names, prior_variance, start)
    n = len(counts)
    # Only differences are determined by votes: the covariance is that of scores of mean zero.
    curvature = _flat_direction_fixed(hessian(mu, counts, prior_variance))
    centre = np.eye(n) - 1 / n
    covariance = centre @ np.linalg.inv(curvature) @ centre
    return ThurstoneFit(mu, covariance, -objective(mu, counts))


def thurstone_scores(
    counts: np.ndarray,
    names: Sequence[str] | None = None,
    prior_variance: float | None = None,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Only the scores of `thurstone_counts`, (N,); the same parameters and errors."""
    names = [str(k) for k in range(len(counts))] if names is None else names
    _check_counts(counts, names, prior_variance)
    if prior_variance is None:
        check_ranking_exists(counts, names)
    return _maximise(counts, prior_variance, start)


def _maximise(
    counts: np.ndarray, prior_variance: float | None, start: np.ndarray | None
) -> np.ndarray:
    n_votes = counts.sum() or 1.0
    if start is not None:
        mu, slope = _newton(counts, prior_variance, start)
        if slope < GRADIENT_PER_VOTE * n_votes:
            return mu - mu.mean()
    result = minimize(
        lambda mu: objective(mu, counts, prior_variance) / n_votes,
        np.zeros(len(counts)),
        jac=lambda mu: gradient(mu, counts, prior_variance) / n_votes,
        hess=lambda mu: _flat_direction_fixed(hessian(mu, counts, prior_variance) / n_votes),
        method="trust-exact",
        options={"gtol": 1e-6, "maxiter": 500},
    )
    # The objective cannot resolve the last digits of the scores, its gradient can.
    mu, slope = _newton(counts, prior_variance, result.x)
    if not slope < GRADIENT_PER_VOTE * n_votes:
        raise ConvergenceError(
            f"the ranking did not converge: {result.message} Gradient {slope / n_votes:g} per "
            f"vote; collect more votes, {PRIOR_HINT}"
        )
    return mu - mu.mean()


def _newton(
    counts: np.ndarray, prior_variance: float | None, start: np.ndarray
) -> tuple[np.ndarray, float]:
    """Newton steps from a point near the maximum, while they shrink the gradient.

    Returns the scores and the largest entry of the gradient, which is zero at the maximum alone.
    """
    mu = start
    slope = gradient(mu, counts, prior_variance)
    while np.abs(slope).max() > 1e-2 * GRADIENT_PER_VOTE * counts.sum():
        curvature = _flat_direction_fixed(hessian(mu, counts, prior_variance))
        try:
            after = mu - np.linalg.solve(curvature, slope)
        except np.linalg.LinAlgError:
            break
        slope_after = gradient(after, counts, prior_variance)
        if not np.abs(slope_after).max() < np.abs(slope).max() / 2:
            break
        mu, slope = after, slope_after
    return mu, float(np.abs(slope).max())


def _flat_direction_fixed(curvature: np.ndarray) -> np.ndarray:
    """Add curvature where all scores move together, along which the likelihood is flat."""
    n = len(curvature)
    return curvature + np.trace(curvature) / n**2


def _check_counts(counts: np.ndarray, names: Sequence[str], prior_variance: float | None) -> None:
    n = len(counts)
    if counts.shape != (n, n) or n < 2 or len(names) != n:
        raise SriqaError(
            f"counts of shape {counts.shape} for {len(names)} names; expected (N, N), N >= 2"
        )
    wrong = ~(np.isfinite(counts) & (counts >= 0)) | (np.eye(n, dtype=bool) & (counts != 0))
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise SriqaError(
            f"{counts[i, j]} votes for {names[i]} over {names[j]}; counts must be finite and not "
            "negative, and zero on the diagonal"
        )
    if prior_variance is not None and not 0 < prior_variance < np.inf:
        raise SriqaError(f"prior variance is {prior_variance}; it must be positive and finite")


def check_ranking_exists(counts: np.ndarray, names: Sequence[str]) -> None:
    """Raise unless every method can be reached from every other by a chain of won votes.

    That is Ford's condition for the maximum of the likelihood to exist and to be unique.

    Raises
    ------
    DisconnectedError, UnboundedError
    """
    won = csr_array(counts > 0)
    n_parts, part = connected_components(won, directed=True, connection="strong")
    if n_parts == 1:
        return
    n_sets, member = connected_components(won, directed=True, connection="weak")
    if n_sets > 1:
        sets = listed((_names(names, member == k) for k in range(n_sets)), 10, "; ")
        raise DisconnectedError(
            f"no votes connect these {n_sets} sets of methods: {sets}. Scores can only be "
            f"compared within a set: collect votes between the sets, {PRIOR_HINT}"
        )
    won_all, lost_all, between = [], [], ""
    for k in range(n_parts):
        inside = part == k
        if not counts[np.ix_(~inside, inside)].any():
            won_all.append(f"{_names(names, inside)} won every vote against the other methods")
        elif not counts[np.ix_(inside, ~inside)].any():
            lost_all.append(f"{_names(names, inside)} lost every vote against the other methods")
    if n_parts > len(won_all + lost_all):  # without the ends, the next ones would be the ends
        sets = listed((_names(names, part == k) for k in range(n_parts)), 10, "; ")
        between = f" Votes between these {n_parts} sets of methods go one way: {sets}."
    raise UnboundedError(
        f"{'; '.join(won_all + lost_all)}.{between} The most likely score is then infinite: "
        f"collect more votes, leave these methods out, {PRIOR_HINT}"
    )


def _names(names: Sequence[str], chosen: np.ndarray) -> str:
    return listed((name for name, take in zip(names, chosen, strict=True) if take), 10)


def clustered_counts(
    first: np.ndarray,
    second: np.ndarray,
    wins: np.ndarray,
    total: np.ndarray,
    n_methods: int,
    cluster: np.ndarray | None = None,
) -> csr_array:
    """Counts of each cluster of votes (an observer's, a content's), (clusters, N·N), sparse.

    Without clusters, the counts of all votes, (1, N·N).
    """
    cluster = np.zeros(len(first), dtype=np.int64) if cluster is None else cluster
    cells = first.astype(np.int64) * n_methods + second, second.astype(np.int64) * n_methods + first
    entries = np.concatenate([wins, total - wins])
    shape = (int(cluster.max()) + 1 if len(cluster) else 1, n_methods**2)
    counts = csr_array((entries, (np.tile(cluster, 2), np.concatenate(cells))), shape=shape)
    counts.eliminate_zeros()
    return counts


def bootstrap_scores(
    clusters: csr_array,
    start: np.ndarray,
    resamples: int,
    prior_variance: float | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Scores of resamples of whole clusters, drawn with replacement, (resamples, N).

    A resample whose ranking does not exist is a row of NaN; `interval` counts it against us.
    """
    n_clusters, n = clusters.shape[0], len(start)
    rng = np.random.default_rng(seed)
    samples = np.full((resamples, n), np.nan)
    names = [""] * n
    for sample in samples:
        times = np.bincount(rng.integers(n_clusters, size=n_clusters), minlength=n_clusters)
        counts = (times.astype(float) @ clusters).reshape(n, n)
        try:
            sample[:] = thurstone_scores(counts, names, prior_variance, start)
        except (DisconnectedError, UnboundedError):
            continue
    return samples
