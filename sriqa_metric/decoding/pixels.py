"""Pixels of an image that Pillow has opened: upright, gray or RGB, with all their bits."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError
from . import tiff

MAX_BYTES = 2_000_000_000
"""Limit on the pixels that are returned, in bytes. Decoding takes up to twice as much."""

_BAND = 1 << 20  # pixels that are converted at a time, which bounds what is copied
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Around calls of Pillow's decoders, whose errors on a hostile file are of any type."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        way_out = "save the image as PNG, or raise PIL.Image.MAX_IMAGE_PIXELS"
        raise ImageError(f"{name}: Pillow refuses it ({error}); {way_out}") from error
    except MemoryError as error:
        raise ImageError(f"{name}: not enough memory to decode it; score a part of it") from error
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())  # on one line
        way_out = "copy or save it again from its source"
        raise ImageError(f"{name}: is cut off or damaged ({reason}); {way_out}") from error


def decode(image: Image.Image, name: str, max_pixels: int) -> np.ndarray:
    """Pixels of an opened image, upright.

    Parameters
    ----------
    image : PIL image
    name : str
        For the errors.
    max_pixels : int
        More pixels than this are refused before anything is decoded, and so are `MAX_BYTES`.

    Returns
    -------
    ndarray, (H, W) or (H, W, 3)
        uint8, or float32: in [0, 1] for 16-bit images, for floating-point ones as they are.

    Raises
    ------
    ImageError
        If it is cut off, damaged or oversized, or holds what 16 bits cannot.
    """
    with decoding(name):
        if image.format == "TIFF":
            tiff.check(image, name)
        swapped = _swapped_tiles(image)
        _check_size(image, swapped is not None, name, max_pixels)
        low = _low_bytes(image, swapped) if swapped else None
        _load(image)
        clear = image.info.get("transparency")  # the one 16-bit colour that is transparent
        top, inverted = tiff.gray_range(image) if image.format == "TIFF" else (65535, False)
        image = _upright(image)
        if low is not None:
            low = _upright(low)
            shape: tuple[int, ...] = (image.height, image.width, 3)
        elif image.mode == "F" or image.mode.startswith("I"):
            shape = (image.height, image.width)
        else:
            return eight_bits(image)
        pixels = np.empty(shape, np.float32)
        for rows, band in _bands(image):
            values = np.asarray(band)
            if low is not None:
                box = (0, rows.start, image.width, rows.stop)
                values = values.astype(np.uint16) << 8 | np.asarray(_part(low, box))
            elif image.mode != "F":
                values = _gray16(values, name)
            if clear is not None and image.mode != "F":
                mask = (values == clear).reshape(*values.shape[:2], -1).all(-1)
                values[mask] = 65535
            pixels[rows] = deep(values, top)
        if inverted:
            np.subtract(1, pixels, out=pixels)
    return pixels


def _check_size(image: Image.Image, deep_colour: bool, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{name}: has no pixels, {width}×{height}")
    if width * height > max_pixels:
        megapixels = f"{width}×{height} = {width * height / 1e6:.4g} megapixels"
        limit = f"the limit of {max_pixels / 1e6:g}"
        way_out = "score a part, or raise max_pixels (--max-pixels of sriqa-score, sriqa-compare)"
        raise ImageError(f"{name}: {megapixels} is over {limit}; {way_out}")
    if deep_colour:
        size = 12
    elif image.mode == "F" or image.mode.startswith("I"):
        size = 4
    else:
        size = 1 if image.mode in ("1", "L") and not image.has_transparency_data else 3
    if width * height * size > MAX_BYTES:
        needs = f"{width}×{height} of {size} bytes a pixel = {width * height * size / 1e9:.4g} GB"
        limit = f"the limit of {MAX_BYTES / 1e9:g} GB"
        raise ImageError(f"{name}: {needs} is over {limit}; score a part, or save it as 8-bit")


def _gray16(values: np.ndarray, name: str) -> np.ndarray:
    for value in (int(values.min()), int(values.max())):
        if not 0 <= value <= 65535:
            problem = f"has the gray value {value}, which 16 bits cannot hold"
            raise ImageError(f"{name}: {problem}; scale it to 0..65535")
    return values.astype(np.uint16)


def _load(image: Image.Image) -> None:
    # Pillow checks its own limit for TIFF once more when it allocates, so allocate here.
    size = getattr(image, "_tile_size", None)
    if size and getattr(image, "tile", None):
        image.im = Image.new(image.mode, size, None).im
    image.load()


def _swapped_tiles(image: Image.Image) -> list[Any] | None:
    """Tiles of 16-bit colour with the opposite byte order; None if it is no such image.

    Of two bytes Pillow keeps the high one: with the opposite order that is the low one.
    """
    order = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    tiles: list[Any] = []
    for tile in getattr(image, "tile", []):
        arguments = (tile[3],) if isinstance(tile[3], str) else tile[3]
        raw = arguments[0] if arguments else None
        if raw not in {f"{mode};16{end}" for mode in ("RGB", "RGBA", "RGBX") for end in order}:
            return None
        swapped = (raw[:-1] + order[raw[-1]], *arguments[1:])
        arguments = swapped[0] if isinstance(tile[3], str) else swapped
        replace = getattr(tile, "_replace", None)  # a plain tuple before Pillow 11
        tiles.append(replace(args=arguments) if replace else (*tile[:3], arguments))
    return tiles if tiles and getattr(image, "fp", None) is not None else None


def _low_bytes(image: Image.Image, tiles: list[Any]) -> Image.Image:
    source: Any = getattr(image, "fp", None)
    where = source.tell()
    source.seek(0)
    low = Image.OPEN[str(image.format)][0](source, "")
    low.seek(image.tell())
    low.tile = tiles
    _load(low)
    source.seek(where)
    return low


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(0x0112, 1))
    except (SyntaxError, ValueError, LookupError, TypeError, OSError, struct.error, Warning):
        return image  # damaged EXIF says nothing about the pixels
    return image if turn is None else image.transpose(turn)


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The image some rows at a time, to save memory."""
    width, height = image.size
    # `crop` checks Pillow's limit, which a user may have lowered.
    rows = max(1, min(_BAND, Image.MAX_IMAGE_PIXELS or _BAND) // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield slice(top, bottom), _part(image, (0, top, width, bottom))


def _part(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    return image if box[3] - box[1] == image.height else image.crop(box)


def eight_bits(image: Image.Image) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3)."""
    width, height = image.size
    gray = image.mode in ("1", "L") and not image.has_transparency_data
    pixels = np.empty((height, width) if gray else (height, width, 3), np.uint8)
    for rows, band in _bands(image):
        pixels[rows] = np.asarray(_converted(band, "L") if gray else _flat(band))
    return pixels


def deep(array: np.ndarray, top: int = 65535) -> np.ndarray:
    """float32 of uint16 in 0..top or of floats, (H, W, 4) composited on white.

    Some rows at a time, to save memory.
    """
    height, width = array.shape[:2]
    alpha = array.ndim == 3 and array.shape[2] == 4
    out = np.empty((height, width, 3) if alpha else array.shape, np.float32)
    rows = max(1, _BAND // width)
    for start in range(0, height, rows):
        band = array[start : start + rows].astype(np.float32)
        if array.dtype.kind == "u":
            band /= top
        if alpha:
            opacity = band[..., 3:]
            band = band[..., :3] * opacity + (1 - opacity)
            band.clip(0, 1, out=band)
        out[start : start + rows] = band
    return out


def _flat(image: Image.Image) -> Image.Image:
    """RGB, with what is transparent composited on white."""
    if not image.has_transparency_data:
        return _converted(image, "RGB")
    if image.mode == "La":
        image = image.convert("LA")
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white


def _converted(image: Image.Image, mode: str) -> Image.Image:
    # Pillow would copy an image that is of this mode.
    return image if image.mode == mode else image.convert(mode)
