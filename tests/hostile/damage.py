"""Files that are cut off, closed after a cut, filled up with zeros, or changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from .case import CUT, Case
from .encoders import AVIF, GRAY, JPEG2000, RGB, SMOOTH, WEBP, adam7_rows, encoded, png, png_rows

_END = b"\xff\xd9"
# A photograph's spectrum, so that lossy files are neither noise nor next to nothing.
_WAVES = np.random.default_rng(5).normal(size=(160, 200, 3)).cumsum(0).cumsum(1)
_PHOTO = (128 + 127 * _WAVES / abs(_WAVES).max()).astype(np.uint8)
_FLAT = _PHOTO.copy()
_FLAT[60:] = 255


def _kinds() -> dict[str, Callable[[], bytes]]:
    kinds = {
        "png": partial(encoded, RGB, "PNG"),
        "jpg": partial(encoded, RGB, "JPEG"),
        "gif": partial(encoded, GRAY, "GIF"),
        "bmp": partial(encoded, RGB, "BMP"),
        "tif": partial(encoded, RGB, "TIFF"),
        "ppm": partial(encoded, RGB, "PPM"),
    }
    if WEBP:
        kinds["webp"] = partial(encoded, RGB, "WEBP")
    if JPEG2000:
        kinds["jp2"] = partial(encoded, RGB, "JPEG2000")
    if AVIF:
        kinds["avif"] = partial(encoded, RGB, "AVIF")
    return kinds


_TITLES = {"jpg": "JPEG", "tif": "TIFF", "webp": "WebP", "jp2": "JPEG 2000"}
_JPEGS = {
    "jpeg": ("a JPEG", {}),
    "progressive": ("a progressive JPEG", {"progressive": True}),
    "optimized": ("a JPEG with its own Huffman codes", {"optimize": True}),
    "restarts": ("a JPEG with restart markers", {"restart_marker_rows": 1}),
    "progressive_restarts": (
        "a progressive JPEG with restart markers",
        {"progressive": True, "restart_marker_rows": 1},
    ),
}


def _cut(whole: Callable[[], bytes], percent: int) -> bytes:
    data = whole()
    return data[: len(data) * percent // 100]


def _closed(whole: Callable[[], bytes], percent: int) -> bytes:
    return _cut(whole, percent) + _END


def _filled(whole: Callable[[], bytes], percent: int, keep: int = 0) -> bytes:
    """Zeros instead of the end, but for the last `keep` bytes."""
    data = whole()
    start = _cut(whole, percent)
    return start + bytes(len(data) - len(start) - keep) + data[len(data) - keep :]


def _photo(form: str, **options: object) -> Callable[[], bytes]:
    return partial(encoded, _PHOTO, form, **options)


def _behind(whole: Callable[[], bytes]) -> bytes:
    return whole() + b"garbage" * 99


def _is_cut() -> list[Case]:
    cases = []
    for kind, whole in _kinds().items():
        title = _TITLES.get(kind, kind.upper())
        for percent in (10, 50, 99):
            given = f"the first {percent} % of a {title} file"
            name = f"cut{percent}_{kind}"
            file = f"cut{percent}.{kind}"
            cases.append(Case(name, given, file, partial(_cut, whole, percent), CUT))
        if kind in ("png", "jpg", "gif"):  # these three have a mark at their end
            given = f"a {title} file without its last byte"
            last = f"last_byte_{kind}"
            cases.append(Case(last, given, f"last_byte.{kind}", lambda w=whole: w()[:-1], CUT))
    no_end = "a PNG with all its rows, but without its end"
    cases.append(Case("no_end_png", no_end, "no_end.png", lambda: encoded(RGB, "PNG")[:-12], CUT))
    for name, (title, options) in _JPEGS.items():
        whole = _photo("JPEG", **options)
        for percent in (40, 90):
            given = f"{title}, cut off at {percent} % and closed with its end mark"
            data = partial(_closed, whole, percent)
            cases.append(
                Case(f"cut_closed{percent}_{name}", given, f"c{percent}{name}.jpg", data, CUT)
            )
        given = f"{title} without its end mark"
        data = partial(_cut, whole, 100)
        cases.append(Case(f"cut_mark_{name}", given, f"m{name}.jpg", lambda w=whole: w()[:-2], CUT))
    if JPEG2000:
        for name, more in (
            ("jp2", {}),
            ("tiles", {"tile_size": (64, 64)}),
            ("j2k", {"no_jp2": True}),
        ):
            given = "a JPEG 2000, cut off and closed with its end mark"
            data = partial(_closed, _photo("JPEG2000", **more), 70)
            cases.append(Case(f"cut_closed_{name}", given, f"closed.{name}", data, CUT))
    for name, title in (("L", "gray"), ("CMYK", "CMYK")):
        whole = partial(encoded, Image.fromarray(_PHOTO).convert(name), "JPEG")
        given = f"a {title} JPEG, cut off and closed with its end mark"
        cases.append(
            Case(f"cut_closed_{name}", given, f"c{name}.jpg", partial(_closed, whole, 70), CUT)
        )
    return cases


def _is_filled() -> list[Case]:
    wholes = {name: (title, _photo("JPEG", **more)) for name, (title, more) in _JPEGS.items()}
    if WEBP:
        wholes["webp"] = ("a WebP", _photo("WEBP"))
        wholes["webp_fast"] = ("a WebP of the fastest method", _photo("WEBP", method=0))
        wholes["webp_lossless"] = ("a lossless WebP", _photo("WEBP", lossless=True))
        profile = _photo("WEBP", icc_profile=b"x" * 99, exif=b"Exif\0\0" + b"x" * 99)
        wholes["webp_exif"] = ("a WebP with EXIF behind its pixels", profile)
    if AVIF:
        wholes["avif"] = ("an AVIF", _photo("AVIF"))
    if JPEG2000:
        wholes["jp2"] = ("a JPEG 2000", _photo("JPEG2000"))
    cases = []
    for name, (title, whole) in wholes.items():
        given = f"{title} with zeros instead of its last part"
        cases.append(
            Case(f"cut_zeros_{name}", given, f"z_{name}", partial(_filled, whole, 60), CUT)
        )
        if name in _JPEGS:
            given += ", but with its end mark"
            data = partial(_filled, whole, 60, keep=2)
            cases.append(Case(f"cut_zeros_mark_{name}", given, f"ze_{name}", data, CUT))
    return cases


def _is_short() -> list[Case]:
    """PNGs with valid checksums and too few rows."""
    rows, seven = png_rows(RGB), adam7_rows(RGB)
    half, most = len(rows) // 2, len(seven) - 1
    deep = png_rows(np.zeros((48, 64 * 8), np.uint8))
    return [
        Case(name, given, f"{name}.png", partial(png, 64, 48, *header, **more), CUT)  # type: ignore
        for name, given, header, more in (
            ("cut_rows", "a PNG with half its rows and valid checksums", (8, 2, rows[:half]), {}),
            ("cut_row", "a PNG without its last row", (8, 2, rows[: 47 * 193]), {}),
            (
                "cut_rows_interlaced", "an interlaced PNG without its last byte of pixels",
                (8, 2, seven[:most]), {"interlaced": True},
            ),
            ("cut_rows16", "a 16-bit PNG without its last row", (16, 6, deep[: 47 * 513]), {}),
            ("cut_all_rows", "a PNG without any row", (8, 2, b""), {}),
        )
    ]  # fmt: skip


def _is_changed() -> list[Case]:
    def flipped() -> bytes:
        data = bytearray(encoded(RGB, "PNG"))
        data[len(data) // 2] ^= 255
        return bytes(data)

    def checksum() -> bytes:
        data = bytearray(encoded(SMOOTH, "PNG"))
        data[-13] ^= 1
        return bytes(data)

    return [
        Case("flipped_byte", "a PNG with one changed byte", "flipped.png", flipped, CUT),
        Case("cut_checksum", "a PNG with a wrong checksum", "checksum.png", checksum, CUT),
    ]


def _is_whole() -> list[Case]:
    """Healthy files that look like damaged ones."""
    cases = []
    for kind, whole in _kinds().items():
        given = f"a {_TITLES.get(kind, kind.upper())} with other bytes behind its end"
        data = partial(_behind, whole)
        cases.append(Case(f"behind_{kind}", given, f"behind.{kind}", data, shape=(48, 64)))
    ends_flat: list[tuple[str, str, dict[str, object]]] = [
        ("JPEG", "a JPEG", {"optimize": True}),
        ("JPEG", "a progressive JPEG", {"progressive": True}),
    ]
    if WEBP:
        ends_flat.append(("WEBP", "a WebP", {"method": 0}))
        ends_flat.append(("WEBP", "a lossless WebP", {"method": 0, "lossless": True}))
    for number, (form, title, more) in enumerate(ends_flat):
        given = f"{title} that ends in a flat area, which is coded as zeros"
        data = partial(encoded, _FLAT, form, **more)
        cases.append(Case(f"flat{number}", given, f"flat{number}", data, shape=(160, 200)))
    middle = np.full_like(RGB, 128)
    for name, options in (("gray_jpeg", {}), ("gray_progressive", {"progressive": True})):
        given = "a JPEG of the gray that stands for missing rows"
        data = partial(encoded, middle, "JPEG", **options)
        cases.append(Case(name, given, f"{name}.jpg", data, expect=middle))
    black = np.zeros_like(RGB)
    given = "a PNG that ends in black rows"
    cases.append(Case("black", given, "black.png", partial(encoded, black, "PNG"), expect=black))
    return cases


CASES = [*_is_cut(), *_is_filled(), *_is_short(), *_is_changed(), *_is_whole()]
