"""The metrics of this package for BasicSR: `type: calculate_sriqa` in an options file.

    from basicsr.utils.registry import METRIC_REGISTRY
    from sriqa_metric.basicsr import calculate_sriqa

    METRIC_REGISTRY.register(calculate_sriqa)

BasicSR is not imported here, and need not be installed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from .errors import SriqaError
from .registry import DEFAULT_METRIC

if TYPE_CHECKING:
    import numpy as np

    from .metric import CalibratedMetric


def calculate_sriqa(
    img: np.ndarray,
    img2: np.ndarray | None = None,
    crop_border: int = 0,
    input_order: str = "HWC",
    metric: str = DEFAULT_METRIC,
    device: str | None = None,
    better: str = "higher",
) -> float:
    """Score one result of a network, as BasicSR's validation gives it.

    Parameters
    ----------
    img : ndarray, (H, W, 3), (H, W, 1) or (H, W)
        BGR; uint8, or float in [0, 1].
    img2 : ndarray, optional
        Ground truth, which is not read.
    crop_border : int
        Pixels left out at each edge, as BasicSR does for PSNR.
    input_order : str
        HWC or CHW.
    metric : str
        A metric's name, or a weights file; it is loaded once in a process.
    device : str, optional
        By default CUDA where there is any; with several, the present one.
    better : str
        BasicSR's own word in the options, which the best result is chosen by.

    Returns
    -------
    float
        Higher is better.

    Raises
    ------
    SriqaError
        If the image or an option is wrong, or the weights cannot be had.
    """
    if better != "higher":
        raise SriqaError(f"better: {better!r} keeps the worst result; write better: higher")
    if input_order not in ("HWC", "CHW"):
        raise SriqaError(f"input_order is {input_order!r}; it must be HWC or CHW")
    if img.ndim == 2:
        img = img[:, :, None]
    elif input_order == "CHW":
        img = img.transpose(1, 2, 0)
    if img.ndim != 3 or img.shape[2] not in (1, 3):
        raise SriqaError(f"expected {input_order} of 1 or 3 channels, got HWC shape {img.shape}")
    height, width = img.shape[:2]
    if not 0 <= 2 * crop_border < min(height, width):
        raise SriqaError(f"crop_border: {crop_border} leaves nothing of {width}×{height} pixels")
    img = img[crop_border : height - crop_border, crop_border : width - crop_border]
    return cast(float, _loaded(metric, device or _present_device()).score(img[:, :, ::-1]))


@lru_cache
def _loaded(metric: str, device: str) -> CalibratedMetric:
    from .weights.load import load_source

    return load_source(metric, device)


def _present_device() -> str:
    import torch

    return f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"
