"""What a metric is to those who only want scores of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ..errors import SriqaError


class Scorer(Protocol):
    """A metric that reads images."""

    @property
    def name(self) -> str:
        """As in tables."""

    @property
    def weights_id(self) -> str:
        """What the scores depend on besides the files."""

    @property
    def higher_is_better(self) -> bool:
        """Direction of the scores."""

    @property
    def needs_reference(self) -> bool:
        """Whether each image is scored by its ground truth."""

    @property
    def cached(self) -> bool:
        """Whether weights id and files say all that a score depends on, so that it can be kept."""

    @property
    def tolerance(self) -> float:
        """How far apart two scores of the same pixels may lie."""

    def score(
        self, paths: Iterable[Path], references: Sequence[Path] = ()
    ) -> Iterator[float | SriqaError]:
        """For every image, in order, its score in the metric's own units or why it has none.

        Ground truths are as many as images where the metric needs them.
        """


def sign_of(scorer: Scorer) -> int:
    """What scores are multiplied by so that higher is better."""
    return 1 if scorer.higher_is_better else -1
