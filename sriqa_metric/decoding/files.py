"""From a path, bytes or a file object to an image that Pillow has opened."""

from __future__ import annotations

import io
import os
import re
import stat
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ..errors import ImageError
from . import tiff
from .completeness import check_rows
from .containers import Stream, end_of_picture
from .pixels import decode, decoding

# Raster formats only: Pillow hands EPS to Ghostscript, and others to whatever is installed.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "TGA")
# Read where the user has registered them with Pillow: by its name, what to do otherwise.
_PLUGINS = {
    "HEIF": "HEIC is not read; pip install pillow-heif, and register it: "
    "pillow_heif.register_heif_opener()",
    "JXL": "JPEG XL is not read; pip install pillow-jxl-plugin, and register it: import pillow_jxl",
}
_HEIC = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"}
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")

Source = str | os.PathLike[str] | bytes | BinaryIO
"""Where the bytes of an image file come from."""


def is_source(image: object) -> bool:
    """Whether it is a path, bytes or a file object."""
    kinds = (str, os.PathLike, bytes, bytearray, memoryview)
    return isinstance(image, kinds) or callable(getattr(image, "read", None))


def decode_file(source: Source, max_pixels: int) -> tuple[np.ndarray, str]:
    """Pixels of an image file, as `decode` gives them, and its name in errors.

    Raises
    ------
    ImageError
        If the file is missing, unreadable, not an image, cut off, damaged or oversized.
    """
    file, name = _file_of(source)
    with Stream(file) as stream:
        kind = _kind_of(stream, name)
        factory = Image.OPEN[kind][0]
        with decoding(name):
            end = end_of_picture(stream, kind)
            stream.seek(0)
            try:
                image = factory(stream, "")
            except (SyntaxError, KeyError) as error:
                if kind == "TIFF":
                    tiff.check_unread(stream, name, error)
                raise

        def again(data: bytes) -> np.ndarray:
            return decode(factory(io.BytesIO(data), ""), name, max_pixels)

        pixels = decode(image, name, max_pixels)
        with decoding(name):
            last = image.getpixel((image.width - 1, image.height - 1))
            del image  # its memory is needed for the next
            check_rows(stream, kind, end, last, pixels, again)
    return pixels, name


def _file_of(source: Any) -> tuple[Any, str]:
    """A raw file, and its name for errors."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source), "bytes"
    if not isinstance(source, (str, os.PathLike)):
        return _rest_of(source)
    name = os.fspath(source)
    try:
        kind = os.stat(name).st_mode
        if stat.S_ISDIR(kind):
            raise ImageError(f"{name}: is a folder; give the image files in it")
        if not stat.S_ISREG(kind):
            # Opening a pipe would wait for its writer, perhaps for ever.
            raise ImageError(f"{name}: is not a regular file; save the image to a file first")
        return io.FileIO(name), name
    except PermissionError:
        raise ImageError(f"{name}: permission denied; make the file readable") from None
    except (OSError, UnicodeError) as error:
        # pathlib makes one slash of two.
        if re.match(r"[a-z][a-z0-9+.-]+:/", name, re.IGNORECASE):
            raise ImageError(f"{name}: URLs are not read; download the file first") from None
        if isinstance(error, FileNotFoundError):
            raise ImageError(f"{name}: no such file; check the path") from None
        raise ImageError(f"{name}: cannot be opened ({error}); check the path") from None
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{name!r}: is not a path ({error}); check the path") from None


def _rest_of(file: Any) -> tuple[io.BytesIO, str]:
    """All of a file object: like Pillow from its beginning, wherever it stands."""
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) else type(file).__name__
    try:
        if file.seekable():
            file.seek(0)
        data = file.read()
    except MemoryError as error:
        raise ImageError(f"{name}: not enough memory to read it; score a part of it") from error
    except Exception as error:  # of any type: the object is the user's
        raise ImageError(f"{name}: cannot be read ({error}); check the file object") from error
    if not isinstance(data, bytes):
        found = type(data).__name__
        raise ImageError(f"{name}: gives {found}, not bytes; open it in binary mode, 'rb'")
    return io.BytesIO(data), name


def _kind_of(stream: Stream, name: str) -> str:
    """Which of the formats it is; unlike `Image.open` without a limit on pixels, which is global.

    JPEG 2000, plain PPM and plug-ins are read on to the end to learn that it is the end.
    """
    stream.strict = False
    prefix = stream.read(256)
    if not prefix:
        raise ImageError(f"{name}: is empty (0 bytes); copy or save it again from its source")
    Image.init()
    plugin = _plugin_of(prefix)
    if plugin and plugin not in Image.OPEN:
        raise ImageError(f"{name}: {_PLUGINS[plugin]}")
    reason = "is not an image"
    for kind in (plugin,) if plugin else FORMATS:
        if kind not in Image.OPEN:
            continue
        accept = Image.OPEN[kind][1]
        found = accept(prefix[:16].ljust(16, b"\0")) if accept else name.lower().endswith(".tga")
        if isinstance(found, str):
            reason = f"cannot be decoded by this Pillow ({found})"
        elif found or plugin:
            to_the_end = plugin or kind == "JPEG2000" or prefix[:2] in (b"P1", b"P2", b"P3")
            stream.strict = not to_the_end
            return kind
    raise ImageError(f"{name}: {reason}; save it as one of {', '.join(FORMATS)}")


def _plugin_of(prefix: bytes) -> str | None:
    if prefix.startswith(_JXL):
        return "JXL"
    if prefix[4:8] == b"ftyp":
        box = prefix[: int.from_bytes(prefix[:4], "big")]
        brands = {box[8:12], *(box[k : k + 4] for k in range(16, len(box), 4))}
        if brands & _HEIC and not brands & {b"avif", b"avis"}:
            return "HEIF"
    return None
