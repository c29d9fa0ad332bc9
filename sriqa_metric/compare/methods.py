"""What scores say about each method, and about every two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .statistics import (
    ALPHA,
    differences,
    effect_size,
    fewest_contents,
    half_intervals,
    holm,
    needed_contents,
    signed_rank,
)
from .wording import verdict


@dataclass(frozen=True)
class MethodResult:
    """A method's mean score with its 95 % interval (None for a single content).

    Methods of equal means share a rank.
    """

    name: str
    mean: float
    ci_low: float | None
    ci_high: float | None
    n: int
    rank: int

    @property
    def half(self) -> float | None:
        """Half of the interval."""
        return None if self.ci_high is None else self.ci_high - self.mean


@dataclass(frozen=True)
class PairResult:
    """Two methods on n contents.

    Parameters
    ----------
    a, b : str
    n : int
    wins_a : float
        Contents on which a has the higher score; equal scores count half.
    win_rate : float
        wins_a / n.
    p_value, p_holm : float
        Of the signed-rank test, alone and corrected over all pairs.
    effect : float or None
        d_z of a to b; None where the differences do not vary.
    needed : int or None
        Contents for a power of 80 %.
    winner : str or None
        Whom the test favours, where p_holm < 0.05.
    verdict : str
    """

    a: str
    b: str
    n: int
    wins_a: float
    win_rate: float
    p_value: float
    p_holm: float
    effect: float | None
    needed: int | None
    winner: str | None
    verdict: str


def method_results(
    names: Sequence[str], scores: np.ndarray, tolerance: float
) -> tuple[MethodResult, ...]:
    """Means of finite scores (N, n) with intervals and ranks; equal up to the tolerance share."""
    n = scores.shape[1]
    means = scores.mean(1)
    halves = half_intervals(scores)
    ranks = 1 + (differences(means[:, None], means[None, :], tolerance) < 0).sum(1)
    return tuple(
        MethodResult(
            name,
            float(means[k]),
            None if halves is None else float(means[k] - halves[k]),
            None if halves is None else float(means[k] + halves[k]),
            n,
            int(ranks[k]),
        )
        for k, name in enumerate(names)
    )


def pair_results(
    names: Sequence[str], scores: np.ndarray, tolerance: float
) -> tuple[PairResult, ...]:
    """Every two rows of finite scores (N, n) compared; equal are scores up to the tolerance."""
    n = scores.shape[1]
    indices = list(combinations(range(len(names)), 2))
    gaps = [differences(scores[i], scores[j], tolerance) for i, j in indices]
    tests = [signed_rank(gap) for gap in gaps]
    corrected = holm(np.array([p_value for p_value, _ in tests]))
    pairs = []
    for (i, j), gap, (p_value, sign), p_holm in zip(indices, gaps, tests, corrected, strict=True):
        wins = int((gap > 0).sum()), int((gap < 0).sum())
        wins_a = wins[0] + (n - sum(wins)) / 2
        effect = effect_size(gap, tolerance)
        # A difference that never varies would show with the fewest contents that can show any.
        needed = needed_contents(np.inf if effect is None and n > 1 else effect, len(gaps))
        words = verdict(
            names[i],
            names[j],
            n=n,
            wins=wins,
            mean_difference=float(gap.mean()),
            p_value=p_value,
            p_holm=float(p_holm),
            sign=sign,
            needed=needed,
            fewest=fewest_contents(len(gaps)),
        )
        winner = names[i if sign > 0 else j] if sign and p_holm < ALPHA else None
        pairs.append(
            PairResult(
                names[i],
                names[j],
                n,
                wins_a,
                wins_a / n,
                p_value,
                float(p_holm),
                effect,
                needed,
                winner,
                words,
            )
        )
    return tuple(pairs)
