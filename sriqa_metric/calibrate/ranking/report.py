"""Everything that votes say about a global ranking, in one report."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import SriqaError
from ..config import RESAMPLES
from ..data.votes import KINDS, Votes, image_pairs
from ..statistics import NORMAL_975, interval
from .notes import notes
from .observers import observer_reports
from .oracle import oracle_2afc
from .results import Intervals, Neighbours, RankReport
from .stability import top_k_srcc
from .thurstone import (
    DisconnectedError,
    ThurstoneFit,
    UnboundedError,
    bootstrap_scores,
    clustered_counts,
    thurstone_counts,
)


def rank_votes(
    votes: Votes, bootstrap: int = RESAMPLES, prior_variance: float | None = None, seed: int = 0
) -> RankReport:
    """Rank the methods by the trials, and report on all votes.

    Intervals come from resampling whole observers where at least two are known, else whole
    contents: votes of one observer, and votes on one content, are not independent.

    Parameters
    ----------
    votes : Votes
    bootstrap : int
        Number of resamples; 0 for asymptotic intervals.
    prior_variance : float, optional
        Variance of a Gaussian prior on every score.
    seed : int
        Of the resampling.

    Raises
    ------
    SriqaError
        As `thurstone_counts`; or for a negative number of resamples.
    """
    if bootstrap < 0:
        raise SriqaError(f"the number of resamples is {bootstrap}; it must not be negative")
    trials = votes.of_kind("trial")
    counts = _counts(trials)
    fit = thurstone_counts(counts, votes.methods, prior_variance)
    order = np.argsort(-fit.mu, kind="stable")
    samples, intervals = _resample(trials, fit.mu, bootstrap, prior_variance, seed)
    low, high, step_low, step_high = _interval_ends(fit, order, samples)
    pairs = image_pairs(trials)
    oracle, oracle_pairs = oracle_2afc(trials)
    beats = fit.win_probability()[np.ix_(order, order)]
    names = [votes.methods[k] for k in order]
    with np.errstate(invalid="ignore"):
        win_rate = (counts / (counts + counts.T))[np.ix_(order, order)]
    report = RankReport(
        methods=tuple(names),
        mu=fit.mu[order],
        ci_low=low[order],
        ci_high=high[order],
        standard_error=np.sqrt(np.diag(fit.covariance))[order],
        win_probability=beats,
        win_rate=win_rate,
        neighbours=[
            Neighbours(
                above=names[k],
                below=names[k + 1],
                difference=float(fit.mu[order[k]] - fit.mu[order[k + 1]]),
                ci_low=float(step_low[k]),
                ci_high=float(step_high[k]),
                win_probability=float(beats[k, k + 1]),
            )
            for k in range(len(names) - 1)
        ],
        intervals=intervals,
        n_votes=round(float(trials.total.sum())),
        n_pairs=len(pairs.total),
        n_rows={kind: int((votes.kind == k).sum()) for k, kind in enumerate(KINDS)},
        log_likelihood=fit.log_likelihood,
        oracle_2afc=oracle,
        oracle_pairs=oracle_pairs,
        groups={
            name: _group(trials.select(trials.group == k), prior_variance)
            for k, name in enumerate(votes.groups)
            if name and (trials.group == k).any()
        },
        top_k_srcc=top_k_srcc(pairs, fit.mu, prior_variance),
        observers=observer_reports(votes, fit.mu, prior_variance),
        prior_variance=prior_variance,
        notes=[],
    )
    report.notes.extend(notes(report, bootstrap))
    return report


def _counts(votes: Votes) -> np.ndarray:
    n = len(votes.methods)
    cells = clustered_counts(votes.first, votes.second, votes.wins, votes.total, n)
    return cells.toarray().reshape(n, n)


def _resample(
    trials: Votes, mu: np.ndarray, resamples: int, prior_variance: float | None, seed: int
) -> tuple[np.ndarray | None, Intervals]:
    """Scores of bootstrap resamples, or None where there is nothing to resample."""
    over, cluster = "contents", trials.content
    if len(np.unique(trials.observer)) > 1:
        over, cluster = "observers", trials.observer
    found, cluster = np.unique(cluster, return_inverse=True)
    if not resamples or len(found) < 2:
        return None, Intervals("asymptotic")
    clusters = clustered_counts(
        trials.first, trials.second, trials.wins, trials.total, len(mu), cluster
    )
    samples = bootstrap_scores(clusters, mu, resamples, prior_variance, seed)
    lost = int(np.isnan(samples[:, 0]).sum())
    return samples, Intervals("bootstrap", over, len(found), resamples, lost)


def _interval_ends(
    fit: ThurstoneFit, order: np.ndarray, samples: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ends of the intervals of the scores, and of the differences of neighbours in the order."""
    above, below = order[:-1], order[1:]
    if samples is not None:
        return *interval(samples), *interval(samples[:, above] - samples[:, below])
    variance = np.diag(fit.covariance)
    score = NORMAL_975 * np.sqrt(variance)
    joint = variance[above] + variance[below] - 2 * fit.covariance[above, below]
    step = NORMAL_975 * np.sqrt(np.maximum(joint, 0))
    difference = fit.mu[above] - fit.mu[below]
    return fit.mu - score, fit.mu + score, difference - step, difference + step


def _group(votes: Votes, prior_variance: float | None) -> dict[str, Any]:
    """The ranking of one group's methods by its votes alone."""
    summary: dict[str, Any] = {
        "n_votes": round(float(votes.total.sum())),
        "n_pairs": len(image_pairs(votes).total),
        "oracle_2afc": oracle_2afc(votes)[0],
    }
    present = np.unique([votes.first, votes.second])
    names = [votes.methods[k] for k in present]
    try:
        fit = thurstone_counts(_counts(votes)[np.ix_(present, present)], names, prior_variance)
    except (DisconnectedError, UnboundedError) as error:
        return {"methods": [], **summary, "error": str(error)}
    methods = [
        {"name": names[k], "mu": float(fit.mu[k]), "rank": rank}
        for rank, k in enumerate(np.argsort(-fit.mu, kind="stable"), start=1)
    ]
    return {"methods": methods, **summary, "log_likelihood": fit.log_likelihood}
