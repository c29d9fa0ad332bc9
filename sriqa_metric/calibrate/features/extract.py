"""Codes of many images through a frozen quality model: computed once, used in every step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...cli.progress import tracked
from ...crops import CropPolicy
from ...errors import SriqaError
from ...metric import CalibratedMetric
from ...scoring import code_stream, map_ahead
from ..data.distortions import DISTORTIONS, ON_SR, ladder
from ..data.sr_results import SRResults, pixels

if TYPE_CHECKING:
    from ...images import ImageLike


def image_codes(
    metric: CalibratedMetric,
    images: Iterable[ImageLike],
    policy: CropPolicy,
    number: int | None = None,
) -> Tensor:
    """Codes of images averaged over their test crops.

    Parameters
    ----------
    metric : CalibratedMetric
    images : iterable of n files or images
        Taken as they are needed; a few are held at a time.
    policy : CropPolicy
    number : int, optional
        n, where `images` has no length.

    Returns
    -------
    Tensor, (n, C), float32, on the CPU

    Raises
    ------
    SriqaError
        For the first file that cannot be read.
    """
    codes = []
    for code in code_stream(metric, tracked(images, "features", number), policy):
        if isinstance(code, SriqaError):
            raise code
        codes.append(code.cpu())
    return torch.stack(codes)


def sr_codes(metric: CalibratedMetric, sr: SRResults, policy: CropPolicy) -> Tensor:
    """Codes of every SR result, (N methods, contents, C)."""
    flat = image_codes(metric, [p for m in sr.methods for p in sr.images(m)], policy)
    return flat.view(len(sr.methods), len(sr.contents), -1)


def window_of(
    image: np.ndarray, size: int, rng: np.random.Generator, path: Path
) -> tuple[int, int]:
    """Top-left corner of a random `size`-sided window of (H, W, 3) pixels.

    Raises
    ------
    SriqaError
        If the image, whose file is `path`, is smaller than the window.
    """
    height, width = image.shape[:2]
    if min(height, width) < size:
        raise SriqaError(f"{path}: {width}x{height} pixels; training needs {size}x{size} or more")
    return int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))


def random_ladder(
    path: Path, size: int, levels: int, on_sr: bool, rng: np.random.Generator
) -> np.ndarray:
    """A random window of an image at rising strength of a random distortion.

    Returns
    -------
    ndarray, (levels + 1, size, size, 3), uint8
        Best first; mirrored or not, by chance.
    """
    image = pixels(path)
    top, left = window_of(image, size, rng, path)
    window = image[top : top + size, left : left + size]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    names = ON_SR if on_sr else tuple(DISTORTIONS)
    return ladder(np.ascontiguousarray(window), names[rng.integers(len(names))], levels, rng)


def as_crops(images: np.ndarray, device: torch.device) -> Tensor:
    """(M, H, W, 3) uint8 pixels -> (M, 3, H, W) float32 in [0, 1], channels last in memory."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def ladder_codes(
    metric: CalibratedMetric, paths: Sequence[Path], levels: int, on_sr: bool, seed: int
) -> Tensor:
    """Codes of one random ladder on every image.

    Returns
    -------
    Tensor, (n, levels + 1, C), float32, on the CPU
        Best first. The ladder of an image depends on the seed and its place in `paths` alone.
    """
    size = metric.policy.size

    def make(index: int) -> np.ndarray:
        return random_ladder(
            paths[index], size, levels, on_sr, np.random.default_rng([seed, index])
        )

    with ThreadPoolExecutor(2) as pool:
        made = map_ahead(pool, make, tracked(range(len(paths)), "ladders"), depth=8)
        return torch.stack([metric.encode(as_crops(x, metric.device)).cpu() for x in made])
