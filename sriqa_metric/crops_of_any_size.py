"""The crops of `crops.py` where the size of the image is known only when a graph runs.

The same windows by the same rules, without a branch or a loop that depends on the size: each step
is arithmetic on integer tensors, so `torch.export` and ONNX keep it as it is. `tests` hold it
against `crops.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .crops import CropPolicy, placed, scattered

_AROUND = 3  # pixels of the source beside a window that the bicubic kernel reads


def crops_of_any_size(images: Tensor, policy: CropPolicy) -> Tensor:
    """Cut the crops out of images of one size.

    Parameters
    ----------
    images : Tensor, (N, 3, H, W), float32 in [0, 1]
    policy : CropPolicy

    Returns
    -------
    Tensor, (N, K, 3, size, size)
        As `read_crops` of each of them.
    """
    height, width = (torch.scalar_tensor(side, dtype=torch.int64) for side in images.shape[-2:])
    tall, wide = enlarged_size(height, width, policy.size)
    tops, lefts = corners(tall, wide, policy)
    rows, row_weights = _taps(tops, height, tall, policy.size)
    columns, column_weights = _taps(lefts, width, wide, policy.size)
    places = rows[:, :, None] * width + columns[:, None, :]
    patches = images.flatten(2).index_select(2, places.flatten()).unflatten(2, places.shape)
    # An image that is not enlarged has weights of 0 and 1: its pixels come out as they are.
    windows = row_weights @ patches @ column_weights.mT
    return windows.clamp(0, 1).movedim(2, 1)


def enlarged_size(height: Tensor, width: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """`crops.enlarged_size` of sides that are integer tensors ()."""
    short = torch.minimum(height, width)
    return (
        torch.where(short < size, _rounded(height * size, short).clamp(min=size), height),
        torch.where(short < size, _rounded(width * size, short).clamp(min=size), width),
    )


def _rounded(above: Tensor, below: Tensor) -> Tensor:
    """The integer next to a fraction, the even one of two."""
    whole = above // below
    rest = 2 * (above - whole * below)
    return whole + ((rest > below) | ((rest == below) & (whole % 2 == 1)))


def corners(height: Tensor, width: Tensor, policy: CropPolicy) -> tuple[Tensor, Tensor]:
    """`crops.corners` of sides that are integer tensors (): tops (K,) and lefts (K,)."""
    number = policy.number
    down, across = _grid_count(height, policy), _grid_count(width, policy)
    count = torch.minimum(down * across, torch.tensor(number)).item()
    torch._check(count >= 1)
    torch._check(count <= number)
    index = torch.arange(number)[:count]
    rows = _row_count(down, across, height, width, number)
    # A row ends where the next begins, at these of all windows.
    ends = number * torch.arange(1, number + 1) // rows
    row = (ends <= index[:, None]).sum(1)
    first = number * row // rows
    on_row = number * (row + 1) // rows - first
    grid_row = _spread(row, rows, down)
    grid_column = _spread(index - first, on_row, across)
    all_fit = down * across <= number
    grid_row = torch.where(all_fit, index // across, grid_row)
    grid_column = torch.where(all_fit, index % across, grid_column)
    tops, lefts = _grid_start(grid_row, height, policy), _grid_start(grid_column, width, policy)
    own = (number <= torch.minimum(down, across)) & ~all_fit
    down_to, across_to = torch.tensor(scattered(number))[:count].unbind(1)
    return (
        torch.where(own, placed(down_to, height - policy.size), tops),
        torch.where(own, placed(across_to, width - policy.size), lefts),
    )


def _stride(length: Tensor, policy: CropPolicy) -> Tensor:
    wide = torch.tensor(policy.wide_stride)
    return torch.where(length >= policy.wide, wide, torch.tensor(policy.stride))


def _grid_count(length: Tensor, policy: CropPolicy) -> Tensor:
    stride = _stride(length, policy)
    return (length - policy.size + stride - 1) // stride + 1


def _grid_start(index: Tensor, length: Tensor, policy: CropPolicy) -> Tensor:
    return torch.minimum(index * _stride(length, policy), length - policy.size)


def _row_count(rows: Tensor, columns: Tensor, height: Tensor, width: Tensor, number: int) -> Tensor:
    two = torch.tensor(min(2, number))
    fewest = torch.maximum((number + columns - 1) // columns, torch.minimum(two, rows))
    most = torch.minimum(rows, torch.tensor(number) // torch.minimum(two, columns))
    # round((number·height/width) ** 0.5) passes k - ½ for so many k; a tie goes to the even one.
    k = torch.arange(1, number + 1)
    area, half = 4 * number * height, (2 * k - 1) ** 2 * width
    nearest = ((area > half) | ((area == half) & (k % 2 == 0))).sum()
    return torch.maximum(fewest, torch.minimum(most, nearest))


def _spread(index: Tensor, count: Tensor, available: Tensor) -> Tensor:
    steps = (count - 1).clamp(min=1)
    spread = (index * (available - 1) + (count - 1) // 2) // steps
    return torch.where(count == 1, (available - 1) // 2, spread)


def _taps(starts: Tensor, length: Tensor, target: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Source pixels of each window along one side, and how its samples weigh them.

    Returns
    -------
    Tensor, (K, size + 3), int64 and Tensor, (K, size, size + 3), float32
    """
    around = torch.arange(size + _AROUND)
    # (place + ½)·length/target - ½ in integers: one whole pixel above zero, in parts of 2·target.
    shifted = (2 * (starts[:, None] + torch.arange(size)) + 1) * length + target
    base = shifted // (2 * target) - 1
    part = (shifted % (2 * target)).float() / (2 * target).float()
    first = base[:, :1] - 1
    distance = ((base - first)[:, :, None] - around + part[:, :, None]).abs()
    a = -0.75
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    weights = torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))
    return torch.minimum((first + around).clamp(min=0), length - 1), weights
