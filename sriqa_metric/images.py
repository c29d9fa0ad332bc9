"""Any image a user has -> RGB tensor, or one clear error.

Files and PIL images are decoded as `decoding` says; arrays and tensors are checked. Gray becomes
RGB; 16-bit is scaled, not clipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .decoding import Source, decode, decode_file, deep, eight_bits, is_source
from .errors import ImageError

MAX_PIXELS = 200_000_000
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class KeptImage:
    """An image that is read once and then kept, for work that needs it several times.

    Parameters
    ----------
    image : path, bytes, binary file object, PIL image, ndarray or tensor
    """

    def __init__(self, image: ImageLike) -> None:
        self.name = name_of(image)
        self._image = image
        self._pixels: Tensor | None = None

    def pixels(self, max_pixels: int) -> Tensor:
        """As `to_tensor`; an image that cannot be read is tried anew by every call."""
        if self._pixels is None:
            self._pixels = to_tensor(self._image, max_pixels=max_pixels)
        return self._pixels


ImageLike = Source | Image.Image | np.ndarray | Tensor | KeptImage
"""Any image that a user has."""


def read_image(path: Source, *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Read an image file.

    Parameters
    ----------
    path : path, bytes or binary file object
        A file of one of `decoding.FORMATS`, recognised by its content (TGA, which has no
        signature, by its extension), or of HEIC or JPEG XL where Pillow has a plug-in for it.
        A file object is read from its beginning.
    max_pixels : int
        More pixels than this are refused from the header, before anything is decoded, as is what
        would need more than `decoding.MAX_BYTES`.

    Returns
    -------
    Tensor, (3, H, W)
        uint8 in 0..255 for 8-bit files, float32 in [0, 1] for deeper ones.

    Raises
    ------
    ImageError
        If the file is missing, unreadable, not an image, cut off, damaged or oversized.
    """
    return _from_array(*decode_file(path, max_pixels))


def to_tensor(image: ImageLike, *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Turn any image into the tensor that `read_image` gives; memory is shared where possible.

    Parameters
    ----------
    image : path, bytes, binary file object, PIL image, ndarray, tensor or KeptImage
        ndarray: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); uint8, uint16 or float in [0, 1].
        Tensor: (3, H, W) or (1, H, W), also with a leading 1; uint8 or float in [0, 1].
    max_pixels : int
        Limit for files and PIL images.

    Returns
    -------
    Tensor, (3, H, W)
        uint8 in 0..255, or float32 in [0, 1]; a tensor stays on its device and in its graph.

    Raises
    ------
    ImageError
        If the type, shape, dtype or a value is wrong, which is quoted, or as `read_image`.
    """
    if isinstance(image, KeptImage):
        return image.pixels(max_pixels)
    if isinstance(image, Image.Image):
        name = name_of(image)
        return _from_array(decode(image, name, max_pixels), name)
    if isinstance(image, np.ndarray):
        return _from_array(image, "array")
    if isinstance(image, Tensor):
        return _from_tensor(image)
    if is_source(image):
        return read_image(image, max_pixels=max_pixels)
    found = type(image).__name__
    kinds = "a path, bytes, a binary file, a PIL image, an ndarray or a tensor"
    raise ImageError(f"expected {kinds}, got {found}")


def is_image(value: object) -> bool:
    """Whether this is one image, or wrongly given as one, also where it could be iterated over."""
    known = isinstance(value, (Image.Image, np.ndarray, Tensor)) or is_source(value)
    return known or not isinstance(value, Iterable)


def name_of(image: ImageLike) -> str:
    """What errors call an image: its path, or where it has none what it is."""
    if isinstance(image, (str, os.PathLike)):
        return os.fspath(image)
    if isinstance(image, Image.Image):
        return str(getattr(image, "filename", "") or "PIL image")
    if isinstance(image, (np.ndarray, Tensor)):
        return "array" if isinstance(image, np.ndarray) else "tensor"
    path = getattr(image, "name", None)
    return path if isinstance(path, str) else type(image).__name__


def as_float(image: Tensor) -> Tensor:
    """uint8 in 0..255 -> float32 in [0, 1]; a float tensor passes through."""
    return image.float() / 255 if image.dtype == torch.uint8 else image


def _from_array(array: np.ndarray, name: str) -> Tensor:
    shape, dtype = array.shape, array.dtype
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        way_out = ""
        if array.ndim == 3 and shape[0] in (1, 3, 4):
            way_out = "; it looks like (C, H, W): give array.transpose(1, 2, 0)"
        elif array.ndim == 4:
            way_out = "; give the images one by one"
        raise ImageError(f"{name}: expected (H, W), (H, W, 3) or (H, W, 4), got {shape}{way_out}")
    if array.size == 0:
        raise ImageError(f"{name}: has no pixels, shape {shape}")
    if dtype == np.uint8:
        if shape[-1] == 4 and array.ndim == 3:
            array = eight_bits(Image.fromarray(np.ascontiguousarray(array)))
        return _to_torch(array)
    if dtype.kind == "f":
        _check_range(float(array.min()), float(array.max()), name)
    elif dtype.kind != "u" or dtype.itemsize != 2:
        raise ImageError(f"{name}: expected uint8, uint16 or float in [0, 1], got dtype {dtype}")
    if dtype != np.float32 or (array.ndim == 3 and shape[2] == 4):
        array = deep(array)
    return _to_torch(array)


def _to_torch(array: np.ndarray) -> Tensor:
    odd = any(step < 0 or step % array.itemsize for step in array.strides)
    if odd or not array.flags.writeable or not array.dtype.isnative:
        # torch takes none of these, or warns.
        array = np.array(array, array.dtype.newbyteorder("="), order="C")
    tensor = torch.from_numpy(array)
    tensor = tensor.unsqueeze(0) if array.ndim == 2 else tensor.permute(2, 0, 1)
    return tensor.expand(3, -1, -1)


def _from_tensor(tensor: Tensor) -> Tensor:
    shape = tuple(tensor.shape)
    image = tensor[0] if len(shape) == 4 and shape[0] == 1 else tensor
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        way_out = ""
        if len(shape) == 3 and shape[2] in (1, 3, 4):
            way_out = "; it looks like (H, W, C): give tensor.permute(2, 0, 1)"
        elif len(shape) == 4:
            way_out = "; give the images one by one"
        raise ImageError(f"tensor: expected (3, H, W) or (1, H, W), got {shape}{way_out}")
    if image.numel() == 0:
        raise ImageError(f"tensor: has no pixels, shape {shape}")
    if image.dtype in _FLOATS:
        low, high = image.detach().aminmax()
        _check_range(low.item(), high.item(), "tensor")
        image = image.to(torch.float32)
    elif image.dtype != torch.uint8:
        raise ImageError(f"tensor: expected uint8 or float in [0, 1], got dtype {image.dtype}")
    return image.expand(3, -1, -1)


def _check_range(low: float, high: float, name: str) -> None:
    for value in (low, high):
        if not 0 <= value <= 1:
            way_out = "divide 8-bit values by 255" if 1 < value <= 255 else "clip or scale them"
            raise ImageError(f"{name}: expected values in [0, 1], got {value!r}; {way_out}")
