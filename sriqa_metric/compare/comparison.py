"""What the scores of several methods on the same contents say about the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..errors import SriqaError
from .matching import Unmatched
from .statistics import (
    ALPHA,
    differences,
    effect_size,
    fewest_contents,
    half_intervals,
    holm,
    needed_contents,
    signed_rank,
    verdict,
)

_LARGEST = 1e100  # squares of larger numbers overflow


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
        Contents on which a has the better score; equal scores count half.
    win_rate : float
        wins_a / n.
    p_value, p_holm : float
        Of the signed-rank test, alone and corrected over all pairs.
    effect : float or None
        d_z of a to b, positive where a is better; None where the differences do not vary.
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


@dataclass(frozen=True)
class Failure:
    """A file that has no score, and why."""

    content: str
    path: str
    error: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """Methods compared on the contents that all of them have.

    Parameters
    ----------
    metric, weights : str
        Whose scores they are.
    contents : tuple of str
        n contents.
    scores : ndarray, (N, n)
    methods : tuple of MethodResult
        N methods, in the order of the scores.
    pairs : tuple of PairResult
        Every two methods once, the earlier one as a.
    unmatched : tuple of Unmatched
        Contents that some method lacks; they are not compared.
    failed : tuple of Failure
        Files without a score; their contents are not compared either.
    notes : tuple of str
        What a reader should know.
    paths : tuple of tuple of str
        [method][content] -> file; empty where only scores are known.
    higher_is_better : bool
        Direction of the metric. `scores` and means are as the metric gives them.
    data_set : str
        Where the contents are from; empty where there is but one data set without a name.
    """

    metric: str
    weights: str
    contents: tuple[str, ...]
    scores: np.ndarray
    methods: tuple[MethodResult, ...]
    pairs: tuple[PairResult, ...]
    unmatched: tuple[Unmatched, ...] = ()
    failed: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    paths: tuple[tuple[str, ...], ...] = ()
    higher_is_better: bool = True
    data_set: str = ""

    @classmethod
    def from_scores(
        cls,
        names: Sequence[str],
        scores: np.ndarray,
        contents: Sequence[str] | None = None,
        *,
        metric: str,
        weights: str,
        tolerance: float = 0.0,
        higher_is_better: bool = True,
        **known: Any,
    ) -> Comparison:
        """Compare methods whose scores are known.

        Parameters
        ----------
        names : sequence of str
            N methods.
        scores : array_like, (N, n)
        contents : sequence of str, optional
            n names; by default numbers.
        metric, weights : str
            Whose scores they are.
        tolerance : float
            Scores that lie no further apart are equal.
        higher_is_better : bool
        **known
            `unmatched`, `failed`, `notes`, `paths` and `data_set` of the comparison.

        Raises
        ------
        SriqaError
            For no method, a name that comes twice, no content, a wrong shape, or a
            score that is not finite (or 1e100 and more).
        """
        values = np.ascontiguousarray(scores, dtype=np.float64)
        if contents is None and values.ndim == 2:
            contents = [str(k) for k in range(values.shape[1])]
        _check(names, values, contents or ())
        sign = 1 if higher_is_better else -1
        return cls(
            metric,
            weights,
            tuple(contents or ()),
            values,
            _method_results(names, values, tolerance, sign),
            _pair_results(names, sign * values, tolerance),
            higher_is_better=higher_is_better,
            **known,
        )

    @property
    def best_first(self) -> list[MethodResult]:
        """The methods by rank."""
        return sorted(self.methods, key=lambda method: method.rank)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON has it, methods best first."""
        return {
            "data_set": self.data_set,
            "metric": self.metric,
            "weights": self.weights,
            "higher_is_better": self.higher_is_better,
            "methods": [asdict(method) for method in self.best_first],
            "pairs": [asdict(pair) for pair in self.pairs],
            "scores": {
                method.name: dict(zip(self.contents, row, strict=True))
                for method, row in zip(self.methods, self.scores.tolist(), strict=True)
            },
            "unmatched": [asdict(one) for one in self.unmatched],
            "failed": [asdict(one) for one in self.failed],
            "notes": list(self.notes),
        }


def _check(names: Sequence[str], scores: np.ndarray, contents: Sequence[str]) -> None:
    if not names:
        raise SriqaError("a comparison needs the scores of at least one method")
    for name in names:
        if names.count(name) > 1:
            raise SriqaError(f"the method {name!r} comes twice; give each a name of its own")
    expected = (len(names), len(contents))
    if scores.shape != expected or not contents:
        raise SriqaError(
            f"expected scores of shape (methods, contents), here {expected}, with at least one "
            f"content; got {scores.shape}"
        )
    for k, j in np.argwhere(~(np.abs(scores) < _LARGEST)):
        raise SriqaError(
            f"the score of {names[k]!r} on {contents[j]!r} is {scores[k, j]}; leave it out"
        )


def _method_results(
    names: Sequence[str], scores: np.ndarray, tolerance: float, sign: int
) -> tuple[MethodResult, ...]:
    """Means of finite scores (N, n) with intervals and ranks; equal up to the tolerance share.

    The sign is 1 where higher is better, else -1.
    """
    n = scores.shape[1]
    means = scores.mean(1)
    halves = half_intervals(scores)
    ranks = 1 + (sign * differences(means[:, None], means[None, :], tolerance) < 0).sum(1)
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


def _pair_results(
    names: Sequence[str], scores: np.ndarray, tolerance: float
) -> tuple[PairResult, ...]:
    """Every two rows of finite scores (N, n), higher is better, compared; see `differences`."""
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
