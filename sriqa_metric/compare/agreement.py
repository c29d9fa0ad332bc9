"""How far two metrics say the same of the same methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from .comparison import Comparison


@dataclass(frozen=True)
class Agreement:
    """Two metrics on one data set; better is better in both, whatever their directions.

    Parameters
    ----------
    data_set : str
    a, b : str
        The metrics.
    srcc_methods : float or None
        Rank correlation of the methods' means; None where a metric has all methods alike.
    n_methods : int
    srcc_within : float or None
        Rank correlation of images: each is ranked among the methods' results on its content, so
        that easy and hard contents add nothing, and the ranks of all contents are correlated.
    n_images : int
        Of the contents that both metrics have scores of.
    contradictions : tuple of (str, str)
        Pairs of methods of which the test finds the first better by a, the second by b.
    """

    data_set: str
    a: str
    b: str
    srcc_methods: float | None
    n_methods: int
    srcc_within: float | None
    n_images: int
    contradictions: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def agreements(each: Sequence[Comparison]) -> tuple[Agreement, ...]:
    """The agreement of every two metrics on each data set; none says anything of one method."""
    return tuple(
        _agreement(first, second)
        for first, second in combinations(each, 2)
        if first.data_set == second.data_set and len(first.methods) > 1
    )


def _agreement(first: Comparison, second: Comparison) -> Agreement:
    theirs = set(second.contents)
    both = [content for content in first.contents if content in theirs]
    means = [np.array([-method.rank for method in one.methods]) for one in (first, second)]
    within = [_ranks_within(one, both) for one in (first, second)]
    return Agreement(
        first.data_set,
        first.metric,
        second.metric,
        _srcc(*means),
        len(first.methods),
        _pearson(*within),
        within[0].size,
        _contradictions(first, second),
    )


def _ranks_within(comparison: Comparison, contents: Sequence[str]) -> np.ndarray:
    """Rank of every image (N, n) among the results on its content; the best has the highest."""
    from scipy.stats import rankdata

    place = {content: k for k, content in enumerate(comparison.contents)}
    sign = 1 if comparison.higher_is_better else -1
    return rankdata(sign * comparison.scores[:, [place[one] for one in contents]], axis=0)


def _srcc(first: np.ndarray, second: np.ndarray) -> float | None:
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)


def _pearson(first: np.ndarray, second: np.ndarray) -> float | None:
    if not first.size or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _contradictions(first: Comparison, second: Comparison) -> tuple[tuple[str, str], ...]:
    return tuple(
        (one.winner, other.winner)
        for one, other in zip(first.pairs, second.pairs, strict=True)
        if one.winner and other.winner and one.winner != other.winner
    )
