"""What the scores of several methods on the same contents say about the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import SriqaError
from .matching import Unmatched
from .methods import MethodResult, PairResult, method_results, pair_results

_LARGEST = 1e100  # squares of larger numbers overflow


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
        **known: Any,
    ) -> Comparison:
        """Compare methods whose scores are known.

        Parameters
        ----------
        names : sequence of str
            N methods.
        scores : array_like, (N, n)
            Higher is better.
        contents : sequence of str, optional
            n names; by default numbers.
        metric, weights : str
            Whose scores they are.
        tolerance : float
            Scores that lie no further apart are equal.
        **known
            `unmatched`, `failed`, `notes` and `paths` of the comparison.

        Raises
        ------
        SriqaError
            For fewer than two methods, a name that comes twice, no content, a wrong shape, or a
            score that is not finite (or 1e100 and more).
        """
        values = np.ascontiguousarray(scores, dtype=np.float64)
        if contents is None and values.ndim == 2:
            contents = [str(k) for k in range(values.shape[1])]
        _check(names, values, contents or ())
        return cls(
            metric,
            weights,
            tuple(contents or ()),
            values,
            method_results(names, values, tolerance),
            pair_results(names, values, tolerance),
            **known,
        )

    @property
    def best_first(self) -> list[MethodResult]:
        """The methods by rank."""
        return sorted(self.methods, key=lambda method: method.rank)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON has it, methods best first."""
        return {
            "metric": self.metric,
            "weights": self.weights,
            "higher_is_better": True,
            "methods": [asdict(method) for method in self.best_first],
            "pairs": [asdict(pair) for pair in self.pairs],
            "unmatched": [asdict(one) for one in self.unmatched],
            "failed": [asdict(one) for one in self.failed],
            "notes": list(self.notes),
        }


def _check(names: Sequence[str], scores: np.ndarray, contents: Sequence[str]) -> None:
    if len(names) < 2:
        raise SriqaError(f"a comparison needs at least two methods, got {len(names)}")
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
