"""The calibrated metric: quality model + rectifier behind one `nn.Module`."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from .crops import CropPolicy, read_crops
from .errors import SriqaError
from .images import ImageLike
from .models.rectifier import Rectifier
from .quality_map import QualityMap, quality_map
from .scoring import score_all

if TYPE_CHECKING:
    from .models import QualityModel


class CalibratedMetric(nn.Module):
    """Blind quality of super-resolved images, Q = α·q_w + β.

    ``metric(x)``: (N, 3, H, W) in [0, 1] -> (N, 1), differentiable with respect to x.
    ``metric.score(image)``: a score for any image a user has.

    Higher is better. The metric's own parameters never collect gradients, it stays in evaluation
    mode inside a module that is being trained, and scores in float32 inside `torch.autocast`.

    Parameters
    ----------
    name : str
        Name of the metric.
    quality_model : QualityModel
        Frozen q_w.
    rectifier : Rectifier or None
        h_θ; None scores with the uncalibrated quality model.
    policy : CropPolicy
        Which crops of an image are read.
    weights_id : str
        What identifies the weights in every output.
    """

    higher_is_better = True
    checks_range = True  # whether `forward` refuses values outside [0, 1]

    def __init__(
        self,
        name: str,
        quality_model: QualityModel,
        rectifier: Rectifier | None,
        policy: CropPolicy,
        weights_id: str = "unsaved",
    ) -> None:
        super().__init__()
        self.name = name
        self.quality_model = quality_model
        self.rectifier = rectifier
        self.policy = policy
        self.weights_id = weights_id
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> CalibratedMetric:
        """Stay in evaluation mode: dropout would make the score random."""
        return super().train(False)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    @property
    def crops_per_pass(self) -> int:
        """Crops that go through the network at once, fastest on the present device."""
        return self.quality_model.crops_per_pass if self.device.type == "cpu" else 240

    def encode(self, crops: Tensor, at_once: int | None = None) -> Tensor:
        """Crops (M, 3, size, size) -> codes (M, C), by default as many at once as are fast."""
        parts = crops.split(at_once or self.crops_per_pass)
        with self._without_autocast():
            return torch.cat([self.quality_model.encode(part) for part in parts])

    def read(self, codes: Tensor) -> Tensor:
        """Codes averaged over the crops of each image (N, C) -> scores (N,)."""
        with self._without_autocast():
            quality, features = self.quality_model.read(codes)
            if self.rectifier is None:
                return quality
            return self.rectifier.calibrate(quality, features)

    def _without_autocast(self) -> torch.autocast:
        """Full precision: the score must not depend on a caller's autocast."""
        return torch.autocast(self.device.type, enabled=False)

    def forward(self, images: Tensor) -> Tensor:
        """Score a batch of images.

        Parameters
        ----------
        images : Tensor, (N, 3, H, W) or (N, 1, H, W), float in [0, 1]
            Gray images count as RGB with equal channels.

        Returns
        -------
        Tensor, (N, 1), float32
            Higher is better.

        Raises
        ------
        SriqaError
            If the shape, the type or a value is wrong; the message quotes it.
        """
        images = _checked(images, self.checks_range)
        codes = []
        with self._without_autocast():  # enlarging a small image multiplies matrices, too
            for image in images.to(self.device, torch.float32):
                crops = read_crops(image.expand(3, -1, -1), self.policy)
                codes.append(self.encode(crops).mean(0))
            return self.read(torch.stack(codes)).unsqueeze(1)

    def score(self, images: ImageLike | Sequence[ImageLike]) -> float | list[float]:
        """Score one image or a list of images of any kind and size.

        Parameters
        ----------
        images : path, PIL image, ndarray (H, W, 3), tensor (3, H, W), or a list of them
            8-bit, 16-bit or float in [0, 1].

        Returns
        -------
        float, or list of float in the order given
            Higher is better.

        Raises
        ------
        ImageError
            If an image cannot be read; the message names it.
        """
        with self._without_autocast():
            if isinstance(images, (list, tuple)):
                return score_all(self, images)
            return score_all(self, [cast(ImageLike, images)])[0]

    def quality_map(self, image: ImageLike) -> QualityMap:
        """Scores of all crops of the grid over one image; see `quality_map.quality_map`."""
        with self._without_autocast():
            return quality_map(self, image)


def _checked(images: Tensor, checks_range: bool) -> Tensor:
    """The batch itself, or a `SriqaError` that quotes what is wrong with it."""
    if not isinstance(images, Tensor):
        raise SriqaError(f"expected a tensor (N, 3, H, W), got {type(images).__name__}")
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise SriqaError(f"expected a tensor (N, 3, H, W) or (N, 1, H, W), got shape {shape}")
    if 0 in shape:
        raise SriqaError(f"expected at least one image of at least one pixel, got shape {shape}")
    if not images.is_floating_point():
        raise SriqaError(f"expected floats in [0, 1], got {images.dtype}; divide 8-bit by 255")
    low, high = (value.item() for value in images.detach().aminmax())
    if checks_range and not (low >= 0 and high <= 1):  # also when NaN
        raise SriqaError(f"expected values in [0, 1], got {low:g} to {high:g}")
    if not (isfinite(low) and isfinite(high)):
        raise SriqaError(f"expected finite values, got {low:g} to {high:g}")
    return images
