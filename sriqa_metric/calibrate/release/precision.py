"""Whether float16 is enough for a metric's weights, by what it does to scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from torch import Tensor

from ...metric import CalibratedMetric
from ...scoring import score_all
from ..data.sr_results import find_images

LARGEST_DIFFERENCE = 1e-3
"""float16 may change a score by less than this; where it changes more, float32 is written."""


def made_images() -> list[Image.Image]:
    """Twelve pictures that need no file: four of noise of two grains, each sharp to blurred."""
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        grains = [(5, 4), (80, 64)]
        layers = [
            Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)).resize((320, 256))
            for w, h in grains
        ]
        picture = Image.blend(layers[0], layers[1], 0.2 * (1 + seed))
        found += [picture.filter(ImageFilter.GaussianBlur(radius)) for radius in (0, 1, 3)]
    return found


def choose_dtype(
    metric: CalibratedMetric, full: Mapping[str, Tensor], reference: Path | None
) -> dict[str, Any]:
    """Which dtype is enough, and by how much float16 changes a score.

    Parameters
    ----------
    metric : CalibratedMetric
        With its tensors rounded to float16.
    full : dict
        The tensors before that.
    reference : Path, optional
        Folder of images, beside twelve made ones.

    Returns
    -------
    dict
        `dtype`, `largest_difference` and `reference`, as they stand in the weights file.

    Raises
    ------
    SriqaError
        If there are no images in the folder, or one that cannot be scored.
    """
    images: list[Any] = list(made_images())
    told = f"{len(images)} made images"
    if reference is not None:
        given = find_images(reference)
        images += given
        told += f" and {len(given)} given"
    rounded = np.array(score_all(metric, images))
    stored = {name: tensor.clone() for name, tensor in metric.state_dict().items()}
    metric.load_state_dict(full)
    difference = float(np.abs(np.array(score_all(metric, images)) - rounded).max())
    metric.load_state_dict(stored)
    dtype = "float16" if difference < LARGEST_DIFFERENCE else "float32"
    return {"dtype": dtype, "largest_difference": difference, "reference": told}
