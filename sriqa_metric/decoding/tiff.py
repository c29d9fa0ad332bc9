"""What the tags of a TIFF say of its pixels, where Pillow reads them wrongly or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from PIL import Image, TiffImagePlugin

from ..errors import ImageError

_BITS, _COMPRESSION, _PHOTOMETRIC = 258, 259, 262
_SAMPLES, _PLANAR, _EXTRA, _FORMAT = 277, 284, 338, 339
_COLOURS = {0: "gray", 1: "gray", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "LAB"}
_NUMBERS = {2: "signed ", 3: "float ", 4: "undefined ", 5: "complex ", 6: "complex "}


def check(image: Image.Image, name: str) -> None:
    """Raise ImageError for what Pillow reads wrongly."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    bits, kind = _first(tags, _BITS, 1), _first(tags, _FORMAT, 1)
    samples = _first(tags, _SAMPLES, 1)
    planes = samples > 1 and bits > 8 and _first(tags, _PLANAR, 1) == 2
    inverted = _white_is_zero(tags) and kind != 1
    if planes or inverted or (kind == 2 and bits <= 8):
        raise _refusal(tags, name)


def check_unread(file: BinaryIO, name: str, error: Exception) -> None:
    """Raise ImageError where Pillow's error is that it does not know such a TIFF."""
    try:
        file.seek(0)
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        compression = _first(tags, _COMPRESSION, 1)
        refusal = _refusal(tags, name)
    except Exception:  # of any type: a damaged directory
        return
    known = compression in TiffImagePlugin.COMPRESSION_INFO
    if not known or str(error) == "unknown pixel mode":
        raise refusal


def gray_range(image: Image.Image) -> tuple[int, bool]:
    """The value of full light in a deep gray TIFF, and whether zero is white."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    deep = image.mode.startswith("I")
    return 4095 if _first(tags, _BITS, 1) == 12 else 65535, deep and _white_is_zero(tags)


def _white_is_zero(tags: Mapping[int, Any]) -> bool:
    return _first(tags, _PHOTOMETRIC, 0) == 0


def _first(tags: Mapping[int, Any], tag: int, default: int) -> int:
    value = tags.get(tag, default)
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else default


def _refusal(tags: Mapping[int, Any], name: str) -> ImageError:
    bits = tags.get(_BITS, (1,))
    bits = "/".join(map(str, dict.fromkeys(bits if isinstance(bits, tuple) else (bits,))))
    photometric = _first(tags, _PHOTOMETRIC, 0)
    colour = _COLOURS.get(photometric, f"photometric {photometric}")
    samples = _first(tags, _SAMPLES, 1)
    extra = samples - {"RGB": 3, "YCbCr": 3, "LAB": 3, "CMYK": 4}.get(colour, 1)
    what = f"{bits}-bit {_NUMBERS.get(_first(tags, _FORMAT, 1), '')}{colour}"
    if extra > 0:
        alpha = extra == 1 and _first(tags, _EXTRA, 0) in (1, 2)
        what += " with alpha" if alpha else f" with {extra} more channels"
    if samples > 1 and _first(tags, _PLANAR, 1) == 2:
        what += " in separate planes"
    elif _white_is_zero(tags):
        what += " with white at 0"
    compression = _first(tags, _COMPRESSION, 1)
    if compression not in TiffImagePlugin.COMPRESSION_INFO:
        what += f" with compression {compression}"
    return ImageError(f"{name}: {what} TIFF is not read; save it as 16-bit PNG")
