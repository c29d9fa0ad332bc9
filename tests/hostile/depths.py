"""More than eight bits, and what the tags of a TIFF say."""

from __future__ import annotations

import struct
from functools import partial

import numpy as np
from PIL import Image

from .case import CUT, Case
from .encoders import (
    DEEP_GRAY,
    DEEP_RGB,
    DEEP_RGBA,
    GRAY,
    RGB,
    UNIT,
    deep_png,
    encoded,
    rgb,
    tiff,
    twelve_bits,
)

_FLOATS = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
_BITS = "read with all 16 bits, scaled to 0..1"
_OPACITY = DEEP_RGBA[..., 3:] / UNIT
_ON_WHITE = DEEP_RGBA[..., :3] / UNIT * _OPACITY + (1 - _OPACITY)
_GRAY12 = DEEP_GRAY >> 4
_KEYED = DEEP_RGB.copy()
_KEYED[4, 9] = 65535
_KEY = (b"tRNS", struct.pack(">HHH", *DEEP_RGB[4, 9].tolist()))
_LARGE = DEEP_GRAY.astype(np.int32)
_LARGE[3, 3] = 70000
_HOLES = _FLOATS.copy()
_HOLES[2, 2] = np.nan


def _big_endian() -> bytes:
    image = Image.frombytes("I;16B", (64, 48), DEEP_GRAY.astype(">u2").tobytes())
    return encoded(image, "TIFF")


def _read(name: str, given: str, data: object, expect: np.ndarray, answer: str = _BITS) -> Case:
    form = "png" if "PNG" in given else "tif"
    return Case(name, given, f"{name}.{form}", data, expect=expect, answer=answer)  # type: ignore


def _refused(name: str, given: str, data: object, error: str) -> Case:
    return Case(name, given, f"{name}.tif", data, error=error)  # type: ignore[arg-type]


_GRAY16 = rgb(DEEP_GRAY) / UNIT
_SAVE = "TIFF is not read; save it as 16-bit PNG"

CASES = [
    _read("gray16", "a 16-bit gray PNG", partial(deep_png, DEEP_GRAY), _GRAY16),
    _read(
        "gray16_pillow", "a 16-bit gray PNG by Pillow", partial(encoded, DEEP_GRAY, "PNG"), _GRAY16,
    ),
    _read("gray16_tiff", "a 16-bit gray TIFF", partial(encoded, DEEP_GRAY, "TIFF"), _GRAY16),
    _read("gray16_be", "a 16-bit gray TIFF, big endian", _big_endian, _GRAY16),
    _read("rgb16", "a 16-bit RGB PNG", partial(deep_png, DEEP_RGB), DEEP_RGB / UNIT),
    _read("rgb16_tiff", "a 16-bit RGB TIFF", partial(tiff, DEEP_RGB, 2), DEEP_RGB / UNIT),
    _read(
        "rgba16", "a 16-bit PNG with alpha", partial(deep_png, DEEP_RGBA), _ON_WHITE,
        "composited on white with all 16 bits",
    ),
    _read(
        "rgba16_tiff", "a 16-bit RGB TIFF with alpha", partial(tiff, DEEP_RGBA, 2, extra=2),
        _ON_WHITE, "composited on white with all 16 bits",
    ),
    _read(
        "rgb16_key", "a 16-bit PNG with one transparent colour",
        partial(deep_png, DEEP_RGB, _KEY), _KEYED / UNIT, "that colour is white",
    ),
    _read(
        "white_zero16", "a 16-bit gray TIFF in which 0 is white",
        partial(tiff, DEEP_GRAY, 0), 1 - _GRAY16, "read, the right way round",
    ),
    _read(
        "white_zero8", "an 8-bit gray TIFF in which 0 is white",
        partial(tiff, GRAY, 0), 255 - rgb(GRAY), "read, the right way round",
    ),
    _read(
        "gray12", "a 12-bit gray TIFF",
        partial(tiff, _GRAY12, bits=12, data=twelve_bits(_GRAY12)),
        rgb(_GRAY12) / np.float32(4095), "scaled so that 4095 is white",
    ),
    _read(
        "int32_tiff", "a 32-bit TIFF with values of 16 bits",
        partial(encoded, DEEP_GRAY.astype(np.int32), "TIFF"), _GRAY16,
    ),
    _refused(
        "int32_large", "a 32-bit TIFF with a value of 70000", partial(encoded, _LARGE, "TIFF"),
        "has the gray value 70000, which 16 bits cannot hold; scale it to 0..65535",
    ),
    _read(
        "float_tiff", "a floating-point gray TIFF in 0..1",
        partial(encoded, _FLOATS, "TIFF"), rgb(_FLOATS), "read as it is",
    ),
    _refused(
        "float_large", "a floating-point TIFF in 0..255", partial(encoded, _FLOATS * 255, "TIFF"),
        "expected values in [0, 1], got 255.0; divide 8-bit values by 255",
    ),
    _refused(
        "float_negative", "a floating-point TIFF with a negative value",
        partial(encoded, _FLOATS - np.float32(0.25), "TIFF"),
        "expected values in [0, 1], got -0.25; clip or scale them",
    ),
    _refused(
        "float_nan", "a floating-point TIFF with NaN", partial(encoded, _HOLES, "TIFF"),
        "expected values in [0, 1], got nan; clip or scale them",
    ),
    _refused(
        "planar16", "a 16-bit RGB TIFF with one plane for each colour",
        partial(tiff, DEEP_RGB, 2, planes=True), f"16-bit RGB in separate planes {_SAVE}",
    ),
    _read(
        "planar8", "an 8-bit RGB TIFF with one plane for each colour",
        partial(tiff, RGB, 2, planes=True), RGB, "read, with exactly the pixels that were written",
    ),
    _refused(
        "float_rgb", "a floating-point RGB TIFF",
        partial(tiff, (DEEP_RGB / UNIT).astype(np.float32), 2), f"32-bit float RGB {_SAVE}",
    ),
    _refused(
        "half_rgb", "a half-precision RGB TIFF",
        partial(tiff, (DEEP_RGB / UNIT).astype(np.float16), 2), f"16-bit float RGB {_SAVE}",
    ),
    _refused(
        "half_gray", "a half-precision gray TIFF",
        partial(tiff, _FLOATS.astype(np.float16)), f"16-bit float gray {_SAVE}",
    ),
    _refused(
        "float_white_zero", "a floating-point gray TIFF in which 0 is white",
        partial(tiff, _FLOATS, 0), f"32-bit float gray with white at 0 {_SAVE}",
    ),
    *(
        _refused(
            f"gray{bits}", f"a {bits}-bit gray TIFF", partial(tiff, DEEP_GRAY, bits=bits),
            f"{bits}-bit gray {_SAVE}",
        )
        for bits in (6, 10, 14)
    ),
    _refused(
        "gray16_alpha", "a 16-bit gray TIFF with alpha",
        partial(tiff, DEEP_RGB[..., :2], extra=2), f"16-bit gray with alpha {_SAVE}",
    ),
    _refused(
        "signed8", "a signed 8-bit gray TIFF",
        partial(tiff, GRAY.view(np.int8)), f"8-bit signed gray {_SAVE}",
    ),
    _refused(
        "five_channels", "a 16-bit TIFF of five channels",
        partial(tiff, np.dstack([DEEP_RGB, DEEP_RGB[..., :2]]), 2),
        f"16-bit RGB with 2 more channels {_SAVE}",
    ),
    _refused(
        "compression", "a TIFF with a compression that libtiff does not know",
        partial(tiff, RGB, 2, compression=50002), f"8-bit RGB with compression 50002 {_SAVE}",
    ),
    _refused(
        "no_strips", "a TIFF that does not say where its pixels are",
        lambda: tiff(RGB, 2).replace(struct.pack("<HH", 273, 4), struct.pack("<HH", 65000, 4)), CUT,
    ),
]  # fmt: skip
