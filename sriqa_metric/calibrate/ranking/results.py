"""What a global ranking and its report hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .observers import ObserverReport


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
    log_likelihood : float
    oracle_2afc : float or None
        2AFC score of people, each judged by the majority of the others.
    oracle_pairs : int
        Image pairs of two votes or more, that it rests on; None of them gives no score.
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
    oracle_2afc: float | None
    oracle_pairs: int
    groups: dict[str, dict[str, Any]]
    top_k_srcc: dict[int, float | None]
    observers: list[ObserverReport]
    prior_variance: float | None
    notes: list[str]
