"""Opening image files: what Pillow leaves undone on cut, deep, turned and transparent ones.

EXIF orientation is applied; palette, CMYK, YCbCr, LAB and HSV become RGB; opaque alpha is dropped
and any transparency is composited on white; of an animation the first frame is read. A file that
is cut off, empty, oversized or no image is an `ImageError`.

No global state of Pillow is changed, and none of it decides: a file that is cut off is an error
even where the user has set `ImageFile.LOAD_TRUNCATED_IMAGES`, and `Image.MAX_IMAGE_PIXELS` is not
consulted. One exception: for WebP (and odd GIFs) Pillow itself refuses more than twice that
(179 megapixels, unless set otherwise), which is an `ImageError` that says so.

16-bit colour is read with all its bits from PNG and TIFF; JPEG 2000, AVIF and PPM of more than 8
bits per colour channel come from Pillow as 8-bit, as does a PIL image that is already loaded.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from .errors import ImageError

# Raster formats only: Pillow hands EPS to Ghostscript, and others to whatever is installed.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "TGA")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_file(path: str | os.PathLike[str], max_pixels: int) -> np.ndarray:
    """Pixels of an image file, as `decode` gives them.

    Raises
    ------
    ImageError
        If the file is missing, unreadable, not an image, cut off, damaged or oversized.
    """
    name = os.fspath(path)
    try:
        kind = os.stat(name).st_mode
        if stat.S_ISDIR(kind):
            raise ImageError(f"{name}: is a folder; give the image files in it")
        if not stat.S_ISREG(kind):
            # Opening a pipe would wait for its writer, perhaps for ever.
            raise ImageError(f"{name}: is not a regular file; save the image to a file first")
        file = io.FileIO(name)
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file; check the path") from None
    except PermissionError:
        raise ImageError(f"{name}: permission denied; make the file readable") from None
    except (OSError, UnicodeError) as error:
        raise ImageError(f"{name}: cannot be opened ({error}); check the path") from None
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{name!r}: is not a path ({error}); check the path") from None
    with _Stream(file) as stream:
        return decode(_open(stream, name), name, max_pixels)


class _Stream(io.BufferedReader):
    """A file that raises when its end is reached while more is wanted.

    Pillow itself fills what is missing with gray where the user has set
    `ImageFile.LOAD_TRUNCATED_IMAGES`, and other threads may rely on that.
    """

    strict = True

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.strict and size is not None and size > 0 and not data:
            raise OSError("the file is cut off")
        return data

    def exactly(self, size: int) -> bytes:
        data = self.read(size)
        if len(data) < size:
            raise OSError("the file is cut off")
        return data


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Around calls of Pillow's decoders, whose errors on a hostile file are of any type."""
    try:
        yield
    except Image.DecompressionBombError as error:
        way_out = "save the image as PNG, or raise PIL.Image.MAX_IMAGE_PIXELS"
        raise ImageError(f"{name}: Pillow refuses it ({error}); {way_out}") from error
    except MemoryError as error:
        raise ImageError(f"{name}: not enough memory to decode it; score a part of it") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        way_out = "copy or save it again from its source"
        raise ImageError(f"{name}: is cut off or damaged ({reason}); {way_out}") from error


def _open(stream: _Stream, name: str) -> Image.Image:
    """What `Image.open` does, without its limit on pixels, which is global and only warns."""
    prefix = stream.read(16) if os.fstat(stream.fileno()).st_size else b""
    if not prefix:
        raise ImageError(f"{name}: is empty (0 bytes); copy or save it again from its source")
    Image.init()
    reason = "is not an image"
    for kind in FORMATS:
        if kind not in Image.OPEN:
            continue
        factory, accept = Image.OPEN[kind]
        found = accept(prefix.ljust(16, b"\0")) if accept else name.lower().endswith(".tga")
        if isinstance(found, str):
            reason = f"cannot be decoded by this Pillow ({found})"
        elif found:
            # These two read on to the end to learn that it is the end.
            stream.strict = kind != "JPEG2000" and prefix[:2] not in (b"P1", b"P2", b"P3")
            with _decoding(name):
                _check_end(stream, kind)
                stream.seek(0)
                return factory(stream, "")
    raise ImageError(f"{name}: {reason}; save it as one of {', '.join(FORMATS)}")


def _check_end(stream: _Stream, kind: str) -> None:
    """Raise OSError if the end is missing, where Pillow is content with what comes before it."""
    stream.seek(0)
    if kind == "PNG":
        stream.seek(8)
        chunk = b""
        while chunk != b"IEND":
            length, chunk = struct.unpack(">I4s", stream.exactly(8))
            stream.seek(length, os.SEEK_CUR)
            stream.exactly(4)
    elif kind == "GIF":
        _skip_palette(stream, stream.exactly(13)[10])
        while (block := stream.exactly(1)) != b";":
            if block == b",":
                _skip_palette(stream, stream.exactly(9)[8])
            if block in b"!,":
                stream.exactly(1)
                while size := stream.exactly(1)[0]:
                    stream.seek(size, os.SEEK_CUR)
    elif kind == "JPEG2000":
        stream.seek(-min(65536, os.fstat(stream.fileno()).st_size), os.SEEK_END)
        if b"\xff\xd9" not in stream.read():
            raise OSError("the file is cut off")


def _skip_palette(stream: _Stream, flags: int) -> None:
    if flags & 128:
        stream.seek(6 << (flags & 7), os.SEEK_CUR)


def decode(image: Image.Image, name: str, max_pixels: int) -> np.ndarray:
    """Pixels of an opened image, upright.

    Parameters
    ----------
    image : PIL image
    name : str
        For the errors.
    max_pixels : int
        More pixels than this are refused before anything is decoded.

    Returns
    -------
    ndarray, (H, W) or (H, W, 3)
        uint8, for 16-bit images uint16, for floating-point ones float32 as they are; (H, W, 4)
        where 16-bit colour has alpha.

    Raises
    ------
    ImageError
        If it is cut off, damaged or oversized, or holds what 16 bits cannot.
    """
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{name}: has no pixels, {width}×{height}")
    if width * height > max_pixels:
        megapixels = f"{width}×{height} = {width * height / 1e6:.4g} megapixels"
        limit = f"the limit of {max_pixels / 1e6:g}"
        raise ImageError(f"{name}: {megapixels} is over {limit}; score a part, or raise max_pixels")
    with _decoding(name):
        low = _low_bytes(image)
        _load(image)
        image = _upright(image)
        if low is None and image.mode != "F" and not image.mode.startswith("I"):
            return eight_bits(image)
        pixels = np.asarray(image)
        if low is not None:
            pixels = pixels.astype(np.uint16) << 8 | np.asarray(_upright(low))
    if image.mode != "F":
        for value in (int(pixels.min()), int(pixels.max())):
            if not 0 <= value <= 65535:
                problem = f"has the gray value {value}, which 16 bits cannot hold"
                raise ImageError(f"{name}: {problem}; scale it to 0..65535")
        pixels = pixels.astype(np.uint16)
        clear = image.info.get("transparency")  # the one 16-bit colour that is transparent
        if clear is not None:
            pixels[(pixels == clear).reshape(*pixels.shape[:2], -1).all(-1)] = 65535
    return pixels


def _load(image: Image.Image) -> None:
    # Pillow checks its own limit for TIFF once more when it allocates, so allocate here.
    size = getattr(image, "_tile_size", None)
    if size and getattr(image, "tile", None):
        image.im = Image.new(image.mode, size, None).im
    image.load()


def _low_bytes(image: Image.Image) -> Image.Image | None:
    """The low bytes of 16-bit colour, of which Pillow keeps only the high ones; else None.

    Read with the opposite byte order: then the byte that Pillow keeps is the low one.
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
    source = getattr(image, "fp", None)
    if not tiles or source is None:
        return None
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


def eight_bits(image: Image.Image) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3), converted some rows at a time to save memory."""
    width, height = image.size
    gray = image.mode in ("1", "L") and not image.has_transparency_data
    pixels = np.empty((height, width) if gray else (height, width, 3), np.uint8)
    # `crop` checks Pillow's limit, which a user may have lowered.
    rows = max(1, min(1 << 24, Image.MAX_IMAGE_PIXELS or 1 << 24) // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        whole = bottom - top == height
        band = image if whole else image.crop((0, top, width, bottom))
        pixels[top:bottom] = np.asarray(band.convert("L") if gray else _flat(band))
    return pixels


def _flat(image: Image.Image) -> Image.Image:
    """RGB, with what is transparent composited on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    image = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white
