"""Metrics of this package, scored as `sriqa-score` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SriqaError
from ..registry import CATALOG
from .options import Options

if TYPE_CHECKING:
    from ..metric import CalibratedMetric

UNCALIBRATED = ":uncalibrated"

# How well the score of an image repeats, whatever its neighbours.
_TOLERANCE = {"cpu": 1e-5}
_TOLERANCE_ELSEWHERE = 1e-4


class OurScorer:
    """A metric of ours.

    Parameters
    ----------
    metric : CalibratedMetric
    name : str, optional
        As in tables; by default the metric's own.
    options : Options, optional
    cached : bool
        Not for a metric in memory, which need no longer be what its weights id says.
    """

    higher_is_better = True
    needs_reference = False

    def __init__(
        self,
        metric: CalibratedMetric,
        name: str = "",
        options: Options | None = None,
        *,
        cached: bool = False,
    ) -> None:
        self.metric = metric
        self.name = name or metric.name
        self.weights_id = metric.weights_id
        self.tolerance = _TOLERANCE.get(metric.device.type, _TOLERANCE_ELSEWHERE)
        self._options = options or Options()
        self.cached = cached and self._options.takes_all

    def score(
        self, paths: Iterable[Path], references: Sequence[Path] = ()
    ) -> Iterator[float | SriqaError]:
        from ..scoring import score_stream

        o = self._options
        return score_stream(self.metric, paths, o.batch_size, o.workers, o.limit)


def is_ours(name: str) -> bool:
    """Whether a name is in the registry or is that of a weights file."""
    bare = name.removesuffix(UNCALIBRATED)
    return bare in CATALOG or bare.endswith(".safetensors")


def load_ours(name: str, options: Options) -> OurScorer:
    """The metric of a name for which `is_ours`.

    Raises
    ------
    SriqaError
        As `weights.load.load_source`.
    """
    from ..weights.load import load_source

    metric = load_source(name.removesuffix(UNCALIBRATED), options.device)
    if name.endswith(UNCALIBRATED):
        metric.rectifier = None
        metric.weights_id += UNCALIBRATED
    return OurScorer(metric, name, options, cached=True)
