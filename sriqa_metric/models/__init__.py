"""Quality models (q_w): one file each, one interface."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class QualityModel(Protocol):
    """What `CalibratedMetric` asks of a quality model, which is also an `nn.Module`.

    A crop becomes a code; the codes of an image are averaged; the average is read as a quality
    score and image features. Whatever a model averages over crops (features, logits, scores)
    stands in the code, so the same image gives the same score however crops are batched.
    """

    feature_dim: int
    crops_per_pass: int  # how many at once are fastest on a CPU

    def encode(self, crops: Tensor) -> Tensor:
        """Crops (M, 3, size, size) in [0, 1] -> codes (M, C)."""

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes averaged over crops (N, C) -> quality (N,) and features (N, feature_dim)."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
