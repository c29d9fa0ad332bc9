"""What the networks published by others have in common: pixels, batch norms, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import SriqaError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(crops: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Crops (M, 3, H, W) in [0, 1] -> the same with `mean` taken off each channel, over `std`.

    In channels-last order, which convolutions on a CPU read fastest. The constants are no
    buffers: a buffer that is not stored would be lost where weights are assigned to a model that
    was built on the meta device.
    """
    shifted = crops - crops.new_tensor(mean).view(3, 1, 1)
    scaled = shifted / crops.new_tensor(std).view(3, 1, 1)
    return scaled.contiguous(memory_format=torch.channels_last)


def require_size(crops: Tensor, size: int, metric: str) -> None:
    """Raise a `SriqaError` unless crops are (M, 3, size, size)."""
    height, width = crops.shape[-2:]
    if (height, width) != (size, size):
        raise SriqaError(
            f"{metric} reads crops of {size}x{size} pixels, got {height}x{width}; "
            f"use a crop policy of size {size}"
        )


class FrozenBatchNorm(nn.Module):
    """Batch norm by stored statistics, also while other parts of a network are trained.

    Unlike torch's it keeps no count of batches, an integer that scoring never reads and that
    weights files, which hold floats only, have no place for.

    Parameters
    ----------
    channels : int
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (M, channels, H, W) -> standardised maps of the same shape."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


def published_state(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Turn a published checkpoint of DBCNN or HyperIQA into a state dict of the model here.

    Takes the entry `params` where there is one, the prefix that data-parallel training adds off
    every name, leaves out the counts of batches, and makes every tensor float32. The names are
    otherwise those of the checkpoints that pyiqa publishes.

    Parameters
    ----------
    checkpoint : mapping
        As read from the file: name -> tensor, or such a mapping under `params`.

    Returns
    -------
    dict of str to Tensor
        For `load_state_dict`, which reports names and shapes that do not fit.

    Raises
    ------
    SriqaError
        If it holds something else than tensors.
    """
    state = {}
    for name, value in checkpoint.get("params", checkpoint).items():
        if not isinstance(value, Tensor):
            raise SriqaError(f"not a state dict: {name!r} is of type {type(value).__name__}")
        if not name.endswith(".num_batches_tracked"):
            state[name.removeprefix("module.")] = value.float()
    return state
