"""The metrics of this package as a metric of torchmetrics: `SriqaScore`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .errors import SriqaError
from .images import as_float
from .metric import CalibratedMetric, keeping_dtype
from .registry import DEFAULT_METRIC
from .weights.load import load_source

try:
    from torchmetrics import Metric
except ModuleNotFoundError as error:
    raise ImportError(
        f"sriqa_metric.torchmetrics needs torchmetrics, but there is no module {error.name!r}; "
        "pip install 'sriqa-metric[torchmetrics]'"
    ) from None


class SriqaScore(Metric):
    """Mean score of all images, over batches and processes.

    ``metric(images)`` gives the mean of the batch, differentiable with respect to the images.

    The network moves with `.to(device)` and is never rounded. It is no submodule: its weights are
    in no `parameters()`, `state_dict()` or checkpoint of the module that holds the metric, so a
    checkpoint loads with and without it. Sums are kept in float64, which MPS lacks.

    Parameters
    ----------
    metric : str, path or CalibratedMetric
        A metric's name, a weights file, or what `sriqa_metric.load` gives.
    **settings
        Of `torchmetrics.Metric`: ``sync_on_compute``, ``process_group``, ...

    Raises
    ------
    SriqaError
        If there is no such metric, or its weights are missing or wrong.
    """

    is_differentiable = True
    higher_is_better = True
    full_state_update = False

    network: CalibratedMetric
    total: Tensor
    count: Tensor

    def __init__(
        self,
        metric: str | os.PathLike[str] | CalibratedMetric = DEFAULT_METRIC,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if not isinstance(metric, CalibratedMetric):
            metric = load_source(os.fspath(metric))
        self.__dict__["network"] = metric  # past nn.Module, which would make it a submodule
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor | None = None) -> None:
        """Score a batch of images.

        Parameters
        ----------
        preds : Tensor, (N, 3, H, W) or (N, 1, H, W)
            uint8, or float in [0, 1].
        target : Tensor, optional
            Not read: it is taken so that one `MetricCollection` can hold PSNR and this.

        Raises
        ------
        SriqaError
            If the shape, the type or a value is wrong, or a score is not finite.
        """
        scores = self.network(as_float(preds) if isinstance(preds, Tensor) else preds)
        if not scores.isfinite().all():
            raise SriqaError(f"scores are {scores.flatten().tolist()}; the weights are to blame")
        self.total += scores.double().sum()
        self.count += len(scores)

    def compute(self) -> Tensor:
        """Mean score (), float32; NaN before the first image, with a warning of torchmetrics."""
        return (self.total / self.count).float()

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> SriqaScore:
        """Move the network too, and never round a sum."""
        self.network._apply(fn)
        super()._apply(keeping_dtype(fn), *args, **kwargs)
        return self
