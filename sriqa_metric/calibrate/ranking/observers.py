"""How far each observer agrees with the others, with known answers and with himself or herself.

Nothing is dropped unless it is asked for by name (`without`): what to do with an observer is for
the reader of the report to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_ndtr, ndtr

from ...errors import SriqaError
from ...files import listed
from ..data.votes import Votes
from .thurstone import DisconnectedError, UnboundedError, clustered_counts, thurstone_scores

DISAGREES_BELOW = -3.0


@dataclass(frozen=True)
class ObserverReport:
    """What one observer's votes look like.

    Parameters
    ----------
    name : str
    n_votes : int
        Trials, which count in the ranking.
    log_likelihood : float or None
        Mean log-likelihood of the observer's trials under the ranking fitted on the others'; None
        where the others' votes alone give no ranking, or there is no trial.
    z : float or None
        How many standard deviations the log-likelihood lies above that of votes drawn from the
        others' ranking; a tie counts as half a vote each way.
    disagrees : bool
        z is below -3.
    n_training : int
        Training votes, which count nowhere.
    n_obvious, n_failed : int
        Attention checks, and those whose choice is not the expected one (a tie fails).
    n_repeats, n_inconsistent, n_unmatched : int
        Repeated questions; those with another choice than the observer's first trial on the same
        content and methods; those without such a trial.
    n_duplicates : int
        Trials on a content and methods on which the observer had already a trial, though not
        marked as repeats; they count in the ranking.
    """

    name: str
    n_votes: int
    log_likelihood: float | None
    z: float | None
    disagrees: bool
    n_training: int
    n_obvious: int
    n_failed: int
    n_repeats: int
    n_inconsistent: int
    n_unmatched: int
    n_duplicates: int

    @property
    def flagged(self) -> bool:
        """Whether the observer disagrees, failed a check or was inconsistent."""
        return bool(self.disagrees or self.n_failed or self.n_inconsistent)


def without(votes: Votes, names: Sequence[str]) -> Votes:
    """The votes, of all kinds, of all observers but these.

    Raises
    ------
    SriqaError
        For an observer that has no vote in the file, or when no trial is left.
    """
    if not votes.observers:
        raise SriqaError("no observer can be left out: the file does not say who voted")
    unknown = [name for name in names if name not in votes.observers]
    if unknown:
        raise SriqaError(
            f"no observer {listed(map(repr, unknown))} in the file; there are "
            f"{listed(votes.observers, 10)}"
        )
    left = [k for k, name in enumerate(votes.observers) if name not in names]
    kept = votes.select(np.isin(votes.observer, left))
    if not len(kept.of_kind("trial").total):
        raise SriqaError(f"no trial is left without {listed(names, 10)}")
    return replace(
        kept,
        observers=tuple(votes.observers[k] for k in left),
        observer=np.searchsorted(left, kept.observer).astype(votes.observer.dtype),
    )


def observer_reports(
    votes: Votes, mu: np.ndarray, prior_variance: float | None = None
) -> list[ObserverReport]:
    """Report every observer, in the order of `votes.observers`; empty when nobody is known.

    Parameters
    ----------
    votes : Votes
        Of all kinds.
    mu : ndarray, (N,)
        The ranking fitted on all trials, where the fits without one observer start.
    prior_variance : float, optional
        As in the fit of the ranking.
    """
    if not votes.observers:
        return []
    n = len(votes.observers)
    trials, training, repeats, obvious = (
        votes.of_kind(kind) for kind in ("trial", "training", "repeat", "obvious")
    )
    likelihood, z = _left_out_likelihood(trials, mu, prior_variance)
    same, matched, duplicate = _compare_repeats(trials, repeats)
    failed = obvious.wins != obvious.expected
    counts = [
        _per_observer(trials),
        _per_observer(training),
        _per_observer(obvious),
        _per_observer(obvious, failed),
        _per_observer(repeats),
        _per_observer(repeats, matched & ~same),
        _per_observer(repeats, ~matched),
        _per_observer(trials, duplicate),
    ]
    return [
        ObserverReport(
            name=votes.observers[k],
            n_votes=numbers[0],
            log_likelihood=None if np.isnan(likelihood[k]) else float(likelihood[k]),
            z=None if np.isnan(z[k]) else float(z[k]),
            disagrees=bool(z[k] < DISAGREES_BELOW),
            n_training=numbers[1],
            n_obvious=numbers[2],
            n_failed=numbers[3],
            n_repeats=numbers[4],
            n_inconsistent=numbers[5],
            n_unmatched=numbers[6],
            n_duplicates=numbers[7],
        )
        for k, numbers in zip(range(n), np.transpose(counts).tolist(), strict=True)
    ]


def _per_observer(votes: Votes, rows: np.ndarray | None = None) -> np.ndarray:
    """Number of (these) rows of each observer."""
    observer = votes.observer if rows is None else votes.observer[rows]
    return np.bincount(observer, minlength=len(votes.observers))


def _left_out_likelihood(
    trials: Votes, mu: np.ndarray, prior_variance: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean log-likelihood of each observer's trials under the others' ranking, and its z."""
    n = len(mu)
    by_observer = clustered_counts(
        trials.first, trials.second, trials.wins, trials.total, n, trials.observer
    )
    everyone = np.asarray(by_observer.sum(0)).reshape(n, n)
    likelihood, z = np.full((2, len(trials.observers)), np.nan)
    for k in range(by_observer.shape[0]):
        own = by_observer[[k]].toarray().reshape(n, n)
        n_votes = own.sum()
        if not n_votes:
            continue
        try:
            others = thurstone_scores(everyone - own, trials.methods, prior_variance, mu)
        except (DisconnectedError, UnboundedError):
            continue
        difference = others[:, None] - others[None, :]
        log_p, p = log_ndtr(difference), ndtr(difference)
        # For each vote on (i, j): its mean and variance if it were drawn from the ranking.
        cast = own + own.T
        mean = (cast * p * log_p).sum()
        variance = (cast * p * p.T * (log_p - log_p.T) ** 2).sum() / 2
        found = (own * log_p).sum()
        likelihood[k] = found / n_votes
        z[k] = (found - mean) / np.sqrt(variance) if variance > 0 else 0.0
    return likelihood, z


def _compare_repeats(trials: Votes, repeats: Votes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each repeat agrees with its trial, and has one; whether each trial is a duplicate."""
    key = _question(trials)
    known, row, inverse = np.unique(key, return_index=True, return_inverse=True)
    duplicate = row[inverse] != np.arange(len(key))
    asked = _question(repeats)
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    matched = known[place] == asked
    original = row[place]
    turned = trials.first[original] != repeats.first
    before = np.where(turned, 1 - trials.wins[original], trials.wins[original])
    return matched & (before == repeats.wins), matched, duplicate


def _question(votes: Votes) -> np.ndarray:
    """One integer per row, equal where observer, content and methods are the same."""
    pairs = (len(votes.methods) + len(votes.other_methods)) ** 2
    asked = votes.content.astype(np.int64) * len(votes.observers) + votes.observer
    return asked * pairs + votes.pair_keys()
