"""Which windows of an image are read, and reading only those.

The windows are chosen by integer arithmetic; the image is never unfolded. An image whose short side
is below the window is enlarged, but only where a window looks. Work and memory are therefore those
of the crops, however long and thin an image is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import floor
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from .errors import SriqaError
from .images import as_float

# Raise it when a change of decoding or of crops moves the score of any image: scores and codes that
# are kept on disk are then computed anew.
READING_VERSION = 3

# A policy comes with a file, and must not ask for endless work.
_LARGEST = 10_000  # of any value
_MOST_PIXELS = 50_000_000  # of the crops of an image: 600 MB of floats, 66 times the default's

_WHOLE = 65536  # parts of a side that places are told in, so that they come out as integers

_Place = TypeVar("_Place", float, Tensor)
_Int = TypeVar("_Int", int, Tensor)


@dataclass(frozen=True)
class CropPolicy:
    """How an image is cut into crops; stored with the weights.

    Parameters
    ----------
    size : int
        Side of a square crop, in pixels.
    number : int
        Crops per image; an image whose grid has fewer windows gives each of them once.
    stride, wide_stride : int
        Step of the grid in pixels: `stride`, or `wide_stride` along a side of `wide` or more.
    wide : int
        Side length in pixels from which `wide_stride` is used.
    """

    size: int = 224
    number: int = 15
    stride: int = 32
    wide_stride: int = 48
    wide: int = 1024

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int or not 1 <= value <= _LARGEST:
                raise SriqaError(
                    f"crop policy: {name} must be an integer from 1 to {_LARGEST}, not {value!r}"
                )
        if self.size**2 * self.number > _MOST_PIXELS:
            raise SriqaError(
                f"crop policy: size·size·number must be at most {_MOST_PIXELS}, "
                f"not {self.size}·{self.size}·{self.number}"
            )

    @classmethod
    def from_dict(cls, values: Any) -> CropPolicy:
        """Build from stored values; unknown or missing names are a `SriqaError`."""
        names = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or sorted(values) != sorted(names):
            raise SriqaError(f"crop policy: expected {', '.join(names)}; found {values!r}")
        return cls(**values)

    def to_dict(self) -> dict[str, int]:
        """Plain values, as they are stored with the weights."""
        return asdict(self)


def enlarged_size(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width after enlarging until the short side is `size`; never reduced."""
    short = min(height, width)
    if short >= size:
        return height, width
    return (
        max(size, round(height * size / short)),
        max(size, round(width * size / short)),
    )


def grid_count(length: int, policy: CropPolicy) -> int:
    """Windows of the grid along a side of at least `policy.size`, last edge included."""
    return -(-(length - policy.size) // _stride(length, policy)) + 1


def grid_start(index: int, length: int, policy: CropPolicy) -> int:
    """First pixel of the `index`-th of them; the last step may be shorter."""
    return min(index * _stride(length, policy), length - policy.size)


def _stride(length: int, policy: CropPolicy) -> int:
    return policy.wide_stride if length >= policy.wide else policy.stride


def corners(height: int, width: int, policy: CropPolicy) -> list[tuple[int, int]]:
    """Top-left corners of the crops of an image, in reading order.

    The crops run from edge to edge and share no row or column. Of images whose grid has fewer rows
    or columns than there are crops, they are windows of the grid, on as many rows as fit the
    shape, the same number (or one less) on each.

    Parameters
    ----------
    height, width : int
        Size of the image in pixels, after `enlarged_size`.
    policy : CropPolicy

    Returns
    -------
    list of (top, left)
        `min(policy.number, windows of the grid)` different ones.
    """
    down, across, number = grid_count(height, policy), grid_count(width, policy), policy.number
    if down * across <= number:
        places = [(row, column) for row in range(down) for column in range(across)]
    elif number <= min(down, across):
        return [
            (placed(top, height - policy.size), placed(left, width - policy.size))
            for top, left in scattered(number)
        ]
    else:
        rows = _row_count(down, across, height / width, number)
        places = []
        for row in range(rows):
            count = number * (row + 1) // rows - number * row // rows
            used = _spread(row, rows, down)
            places += [(used, _spread(column, count, across)) for column in range(count)]
    return [
        (grid_start(row, height, policy), grid_start(column, width, policy))
        for row, column in places
    ]


def image_corners(height: int, width: int, policy: CropPolicy) -> list[tuple[int, int]]:
    """`corners` of an image of any size, which is enlarged where it is small."""
    return corners(*enlarged_size(height, width, policy.size), policy)


def scattered(number: int) -> list[tuple[int, int]]:
    """Where crops lie that share no row or column, from edge to edge: (down, across) in 1/65536.

    Rows are even; across, they go by the golden ratio, modulo one, so that neighbours lie far
    apart. Fewer crops tell as much as more on rows of the grid (`benchmarks/crops.py`). None look
    at what another has just seen, nor all at one phase of a JPEG file's blocks of 8 pixels.
    """
    if number == 1:
        return [(_WHOLE // 2, _WHOLE // 2)]
    golden = (5**0.5 - 1) / 2
    across = [((row - (number - 1) / 2) * golden + 0.5) % 1 for row in range(number)]
    first, length = min(across), max(across) - min(across)
    return [
        (round(_WHOLE * row / (number - 1)), round(_WHOLE * (place - first) / length))
        for row, place in enumerate(across)
    ]


def placed(part: _Int, room: _Int) -> _Int:
    """The first pixel of a crop that has so much room, `part` in 1/65536 of it: an integer."""
    return (part * room + _WHOLE // 2) // _WHOLE


def _row_count(rows: int, columns: int, aspect: float, number: int) -> int:
    """How many of `rows` grid rows are used, so that crops lie about as dense in both directions.

    At least two rows and two crops on a row where there are as many: both edges are then reached.
    """
    fewest = max(-(-number // columns), min(2, rows, number))
    most = min(rows, number // min(2, columns, number))
    return max(fewest, min(most, round((number * aspect) ** 0.5)))


def _spread(index: int, count: int, available: int) -> int:
    """The `index`-th of `count` positions spread evenly from the first to the last available."""
    if count == 1:
        return (available - 1) // 2
    return (index * (available - 1) + (count - 1) // 2) // (count - 1)


def read_crops(image: Tensor, policy: CropPolicy) -> Tensor:
    """Cut the crops out of one image.

    Parameters
    ----------
    image : Tensor, (3, H, W)
        uint8, or float in [0, 1]. Differentiable when float.
    policy : CropPolicy

    Returns
    -------
    Tensor, (K, 3, size, size), float in [0, 1]
        float32 for uint8 images, else of the dtype of the image; on the image's device.
    """
    height, width = image.shape[-2:]
    return read_windows(image, image_corners(height, width, policy), policy.size)


def cut_crops(image: Tensor, policy: CropPolicy) -> Tensor:
    """The part of `read_crops` that is no arithmetic; `finish_crops` is the other.

    The image may go afterwards. NumPy copies the crops: torch would start a team of threads for
    each thread that calls this.

    Parameters
    ----------
    image : Tensor, (3, H, W)
        uint8, or float in [0, 1].

    Returns
    -------
    Tensor, (K, 3, size, size), of the dtype of the image
        The image itself, (3, H, W), where it is small, so that crops are of its enlargement, or
        lies on another device.
    """
    height, width, size = *image.shape[-2:], policy.size
    if min(height, width) < size or image.device.type != "cpu":
        return image
    pixels = image.detach().permute(1, 2, 0).numpy()
    where = image_corners(height, width, policy)
    windows = np.stack([pixels[top : top + size, left : left + size] for top, left in where])
    return torch.from_numpy(windows).permute(0, 3, 1, 2)


def finish_crops(cut: Tensor, policy: CropPolicy) -> Tensor:
    """What `read_crops` gives, of what `cut_crops` gives."""
    return as_float(cut) if cut.ndim == 4 else read_crops(cut, policy)


def crop_count(cut: Tensor, policy: CropPolicy) -> int:
    """Crops that `finish_crops` gives."""
    if cut.ndim == 4:
        return len(cut)
    height, width = cut.shape[-2:]
    return len(image_corners(height, width, policy))


def read_windows(image: Tensor, where: list[tuple[int, int]], size: int) -> Tensor:
    """Cut `size`-sided windows out of one image, at corners of the image after `enlarged_size`.

    Parameters
    ----------
    image : Tensor, (3, H, W)
        uint8, or float in [0, 1].
    where : list of (top, left)
    size : int

    Returns
    -------
    Tensor, (len(where), 3, size, size), float in [0, 1]
    """
    height, width = image.shape[-2:]
    tall, wide = enlarged_size(height, width, size)
    if (tall, wide) == (height, width):
        # Decoded files and fast networks both keep the channels of a pixel together.
        pixels = image.permute(1, 2, 0)
        windows = torch.stack([pixels[t : t + size, x : x + size] for t, x in where])
        return as_float(windows.permute(0, 3, 1, 2))
    return torch.stack([_enlarged_window(image, (tall, wide), corner, size) for corner in where])


def _enlarged_window(
    image: Tensor, target: tuple[int, int], corner: tuple[int, int], size: int
) -> Tensor:
    """One window of the bicubic enlargement of `image` to `target`, clipped to [0, 1]."""
    height, width = image.shape[-2:]
    rows, row_weights = _cubic_taps(height, target[0], corner[0], size, image)
    columns, column_weights = _cubic_taps(width, target[1], corner[1], size, image)
    # Those of the columns' first and last sample, found without waiting for the device.
    first = max(floor(_sampled(corner[1], width, target[1])) - 1, 0)
    past = min(floor(_sampled(corner[1] + size - 1, width, target[1])) + 3, width)
    source = as_float(image[:, :, first:past][:, rows])  # (3, size, 4, columns read)
    with torch.autocast(image.device.type, enabled=False):  # it would round these sums
        lines = torch.einsum("crtw,rt->crw", source, row_weights)
        window = torch.einsum("crst,st->crs", lines[:, :, columns - first], column_weights)
    return window.clamp(0, 1)


def _sampled(place: _Place, length: int, target: int) -> _Place:
    """Where in a row of `length` pixels the enlargement to `target` samples its `place`-th."""
    return (place + 0.5) * length / target - 0.5


def _cubic_taps(
    length: int, target: int, start: int, count: int, image: Tensor
) -> tuple[Tensor, Tensor]:
    """Source pixels and weights of `count` samples from `start` on, of bicubic `length`->`target`.

    The kernel and the half-pixel grid of torch's `interpolate(mode="bicubic")`, antialias off.

    Returns
    -------
    Tensor, (count, 4), int64 and Tensor, (count, 4)
        On the device of `image`; the weights of its float type, float32 where it is uint8.
    """
    position = _sampled(torch.arange(start, start + count, dtype=torch.float64), length, target)
    base = position.floor()
    taps = base[:, None] + torch.arange(-1, 3)
    distance = (position[:, None] - taps).abs()
    a = -0.75
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    weights = torch.where(distance <= 1, near, far)
    # Rounded before they are moved: not every device has float64.
    weights = weights.to(image.dtype if image.is_floating_point() else torch.float32)
    return taps.long().clamp(0, length - 1).to(image.device), weights.to(image.device)
