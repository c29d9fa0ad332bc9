"""The calibrated metric: quality model + rectifier behind one `nn.Module`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from .crops import CropPolicy, image_corners, read_windows
from .crops_of_any_size import crops_of_any_size
from .errors import SriqaError
from .images import MAX_PIXELS, ImageLike, is_image
from .memory import crops_that_fit, cuda_bytes, cuda_free, is_out_of_memory
from .models.rectifier import Rectifier
from .quality_map import QualityMap, quality_map
from .scoring import score_all

if TYPE_CHECKING:
    from .models import QualityModel

_MOST_PER_PASS = 480  # elsewhere than on the CPU; taken for enough, not measured

# How far outside [0, 1] a value is taken for rounding: the step of float16 above 1 is 0.00098. Half
# a step of 8-bit values, 0.002, would be a mistake in scaling.
_ROUNDING = 1e-3


class CalibratedMetric(nn.Module):
    """Blind quality of super-resolved images, Q = α·q_w + β.

    ``metric(x)``: (N, 3, H, W) in [0, 1] -> (N, 1), differentiable with respect to x.
    ``metric.score(image)``: a score for any image a user has.

    Higher is better. The metric's own parameters never collect gradients, and it stays in
    evaluation mode inside a module that is being trained. It always scores in float32, also inside
    `torch.autocast`; `.half()`, `.bfloat16()`, `.double()` and `.to(dtype)`, of itself or of a
    module that holds it, leave its weights as they are.

    `torch.compile(metric, fullgraph=True)` works for a fixed size of images, `torch.export.export`
    for any, if its `dynamic_shapes` say so; what is compiled or exported does not check values.

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

    Attributes
    ----------
    higher_is_better : bool
        True.
    checks_range : bool
        Whether `forward` refuses values outside [0, 1], by default True. Values up to 0.001
        outside, as rounding makes them, are scored as they are. Where it is False, as in pyiqa,
        any finite values are.
    """

    higher_is_better = True
    checks_range = True

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
        self._fitting: dict[tuple[torch.device, int], int] = {}
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> CalibratedMetric:
        """Stay in evaluation mode: dropout would make the score random."""
        return super().train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> CalibratedMetric:
        """Move, but never round: what every `.to()`, `.half()` and the like comes down to."""
        return super()._apply(keeping_dtype(fn), *args, **kwargs)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    @property
    def crops_per_pass(self) -> int:
        """Crops that go through the network at once, fastest on the present device.

        On CUDA, what fits into its memory when this is first asked.
        """
        device = self.device
        if device.type == "cpu":
            return self.quality_model.crops_per_pass
        if device.type != "cuda" or torch.compiler.is_compiling():
            return _MOST_PER_PASS
        place = (device, self.policy.size)
        if place not in self._fitting:  # kept: the same call then gives the same bits
            self._fitting[place] = self._crops_that_fit(device)
        return self._fitting[place]

    @torch.inference_mode()
    def _crops_that_fit(self, device: torch.device) -> int:
        few, size = 8, self.policy.size

        def trial() -> None:
            self.encode(torch.zeros(few, 3, size, size, device=device), few)

        try:
            trial()  # what the first pass alone takes, as for handles of libraries, is no crop's
            needed = cuda_bytes(trial, device) // few
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return 1
        return crops_that_fit(_MOST_PER_PASS, needed, cuda_free(device))

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
            Higher is better. With weights that give NaN it is NaN; `score` raises then.

        Raises
        ------
        SriqaError
            If the shape, the type or a value is wrong; the message quotes it.
        """
        images = _checked(images, self.checks_range)
        images = images.to(self.device, torch.float32).expand(-1, 3, -1, -1)
        if any(isinstance(side, torch.SymInt) for side in images.shape):  # an export for any size
            crops = crops_of_any_size(images, self.policy)
            codes = self.quality_model.encode(crops.flatten(0, 1)).unflatten(0, crops.shape[:2])
            return self.read(codes.mean(1)).unsqueeze(1)
        height, width = images.shape[-2:]
        where = image_corners(height, width, self.policy)
        means = []
        for part in images.split(max(1, self.crops_per_pass // len(where))):
            crops = torch.cat([read_windows(image, where, self.policy.size) for image in part])
            means.append(self.encode(crops).unflatten(0, (len(part), len(where))).mean(1))
        return self.read(torch.cat(means)).unsqueeze(1)

    def score(
        self, images: ImageLike | Iterable[ImageLike], *, max_pixels: int = MAX_PIXELS
    ) -> float | list[float]:
        """Score one image, or any number of images of any kind and size.

        Parameters
        ----------
        images : path, PIL image, ndarray (H, W, 3), tensor (3, H, W), or an iterable of them
            8-bit, 16-bit or float in [0, 1]. A list, a generator: of what is iterated over, only
            a few images are held at a time. A str is a path, an array or a tensor an image.
        max_pixels : int
            Larger files and PIL images are errors.

        Returns
        -------
        float, or list of float in the order given
            Finite; higher is better.

        Raises
        ------
        ImageError
            If an image cannot be read; the message names it.
        SriqaError
            If memory does not suffice for an image, or its score is not finite.
        """
        if is_image(images):
            return score_all(self, [cast(ImageLike, images)], max_pixels)[0]
        return score_all(self, cast(Iterable[ImageLike], images), max_pixels)

    def quality_map(self, image: ImageLike, *, max_pixels: int = MAX_PIXELS) -> QualityMap:
        """Scores of all crops of the grid over one image; see `quality_map.quality_map`."""
        return quality_map(self, image, max_pixels=max_pixels)


def keeping_dtype(fn: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """What `fn` does to a tensor, but for its type: it moves and never rounds."""

    def moved(tensor: Tensor) -> Tensor:
        found = fn(tensor)
        return found if found.dtype == tensor.dtype else tensor.to(found.device)

    return moved


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
    if torch.compiler.is_compiling():  # a graph has no place for an error
        return images
    low, high = (value.item() for value in images.detach().aminmax())
    if checks_range and not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # also when NaN
        way_out = "clamp them, or divide 8-bit values by 255"
        raise SriqaError(f"expected values in [0, 1], got {low:g} to {high:g}; {way_out}")
    if not (isfinite(low) and isfinite(high)):
        raise SriqaError(f"expected finite values, got {low:g} to {high:g}")
    return images
