"""Everything that votes say about a global ranking, in one report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import SriqaError
from ...files import listed
from ..config import RESAMPLES
from ..data.votes import KINDS, Votes, image_pairs
from ..statistics import NORMAL_975, interval
from .observers import ObserverReport, observer_reports
from .thurstone import (
    DisconnectedError,
    ThurstoneFit,
    UnboundedError,
    bootstrap_scores,
    clustered_counts,
    oracle_2afc,
    thurstone_counts,
    top_k_srcc,
)

FEW_CLUSTERS = 10


@dataclass(frozen=True)
class Neighbours:
    """Two methods that follow each other in the ranking."""

    above: str
    below: str
    difference: float
    ci_low: float
    ci_high: float
    win_probability: float

    @property
    def separable(self) -> bool:
        """Whether the 95 % interval of the difference excludes zero."""
        return self.ci_low > 0


@dataclass(frozen=True)
class Intervals:
    """How the 95 % intervals were made.

    Parameters
    ----------
    method : str
        `bootstrap`, or `asymptotic` (from the Hessian, as if all votes were independent).
    over : str or None
        What the bootstrap draws: whole `observers` or whole `contents`.
    clusters, resamples, without_ranking : int
        How many of those there are, how many resamples were drawn, and in how many of these no
        ranking exists. Over 2.5 % of such resamples make the intervals unbounded.
    """

    method: str
    over: str | None = None
    clusters: int = 0
    resamples: int = 0
    without_ranking: int = 0


@dataclass(frozen=True)
class RankReport:
    """A global ranking; methods best first, arrays in their order.

    Parameters
    ----------
    methods : tuple of str
        N methods.
    mu, ci_low, ci_high : ndarray, (N,)
        Scores of mean zero with their 95 % intervals; an end without bound is infinite.
    standard_error : ndarray, (N,)
        Asymptotic.
    win_probability : ndarray, (N, N)
        Φ(μ_i − μ_j).
    win_rate : ndarray, (N, N)
        Fraction of the votes on i and j that i got, NaN where there are none.
    neighbours : list of Neighbours
    intervals : Intervals
    n_votes, n_pairs : int
        Votes and image pairs (method pairs on one content) that the ranking rests on.
    n_rows : dict
        Rows of the file by kind (trial, training, repeat, obvious).
    log_likelihood, oracle_2afc : float
    groups : dict
        Name of the group -> its own ranking, `n_votes`, `n_pairs` and `oracle_2afc`; `error`
        where the group alone gives no ranking.
    top_k_srcc : dict
        K -> SRCC of the ranking from the first K image pairs of each method pair.
    observers : list of ObserverReport
        Empty where the file does not say who voted.
    prior_variance : float or None
    notes : list of str
        What a reader must know before using the numbers.
    """

    methods: tuple[str, ...]
    mu: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    standard_error: np.ndarray
    win_probability: np.ndarray
    win_rate: np.ndarray
    neighbours: list[Neighbours]
    intervals: Intervals
    n_votes: int
    n_pairs: int
    n_rows: dict[str, int]
    log_likelihood: float
    oracle_2afc: float
    groups: dict[str, dict[str, Any]]
    top_k_srcc: dict[int, float | None]
    observers: list[ObserverReport]
    prior_variance: float | None
    notes: list[str]


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
        oracle_2afc=oracle_2afc(pairs),
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
    report.notes.extend(_notes(report, bootstrap))
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
    pairs = image_pairs(votes)
    summary: dict[str, Any] = {
        "n_votes": round(float(votes.total.sum())),
        "n_pairs": len(pairs.total),
        "oracle_2afc": oracle_2afc(pairs),
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


def _notes(report: RankReport, bootstrap: int) -> list[str]:
    made = report.intervals
    notes = []
    if made.method == "asymptotic":
        why = "one observer and one content cannot be resampled: " if bootstrap else ""
        notes.append(f"{why}the intervals take all votes as independent, and may be too narrow")
    elif made.clusters < FEW_CLUSTERS:
        notes.append(f"the votes come from only {made.clusters} {made.over}: intervals are rough")
    if made.without_ranking:
        share = made.without_ranking / made.resamples
        effect = "the intervals are unbounded" if share > 0.025 else "they widen the intervals"
        notes.append(
            f"{made.without_ranking} of {made.resamples} resamples give no ranking, because some "
            f"method won or lost every vote or was not compared; counted as beyond both ends, "
            f"{effect}; more votes or a prior variance help"
        )
    notes.extend(
        f"group {name}: no ranking of its own: {group['error']}"
        for name, group in report.groups.items()
        if "error" in group
    )
    others = [f"{n} {kind}" for kind, n in report.n_rows.items() if n and kind != "trial"]
    if others:
        notes.append(f"rows that do not count in the ranking: {', '.join(others)}")
    if twice := sum(o.n_duplicates for o in report.observers):
        notes.append(
            f"{twice} trials ask an observer what an earlier trial asked, and are not marked as "
            "repeats: they count in the ranking"
        )
    flagged = [o.name for o in report.observers if o.flagged]
    if flagged:
        notes.append(
            f"{len(flagged)} of {len(report.observers)} observers deserve a look, and count all "
            f"the same: {listed(flagged, 10)}"
        )
    unknown = [o.name for o in report.observers if o.n_votes and o.log_likelihood is None]
    if unknown:
        why = "not compared with the others, whose votes alone give no ranking"
        notes.append(f"{why}: {listed(unknown, 10)}")
    return notes
