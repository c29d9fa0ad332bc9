"""Sizes, names, what is no image, and what is no file."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from .case import CUT, Case
from .encoders import RGB, encoded, png

_PNG = partial(encoded, RGB, "PNG")
_NOISE = np.random.default_rng(3).bytes(4096)
_NO_IMAGE = "is not an image; save it as one of PNG, JPEG, WEBP"


def _sizes() -> list[Case]:
    cases = []
    for height, width in ((1, 1), (223, 225), (8, 10000), (10000, 8)):
        pixels = np.full((height, width, 3), 90, np.uint8)
        name = f"size{height}x{width}"
        data = partial(encoded, pixels, "PNG")
        cases.append(Case(name, f"a picture of {width}×{height}", f"{name}.png", data, (), pixels))

    def large() -> bytes:
        return encoded(Image.new("1", (12000, 9000), 1), "PNG")

    def huge_bmp() -> bytes:
        bitmap = encoded(RGB[:1, :1], "BMP")
        return bitmap[:18] + struct.pack("<ii", 30000, 30000) + bitmap[26:]

    over = "is over the limit of 200; score a part, or raise max_pixels"
    most = 2**31 - 1
    return [
        *cases,
        Case("large", "108 megapixels", "large.png", large, shape=(9000, 12000), big=True),
        Case(
            "huge", "a PNG that claims 3600 megapixels", "huge.png",
            partial(png, 60000, 60000, 8, 2, b"\0"), f"60000×60000 = 3600 megapixels {over}",
        ),
        Case(
            "wide", "a PNG that claims one row of 200,000,001 pixels", "wide.png",
            partial(png, 200_000_001, 1, 8, 0, b"\0"), over,
        ),
        Case(
            "unbelievable", "a PNG that claims as much as it can", "unbelievable.png",
            partial(png, most, most, 8, 2, b"\0"), over,
        ),
        Case(
            "huge_deep", "a PNG that claims 196 megapixels of 16-bit RGBA", "huge_deep.png",
            partial(png, 14000, 14000, 16, 6, b"\0"),
            "14000×14000 of 12 bytes a pixel = 2.352 GB is over the limit of 2 GB; score a part, "
            "or save it as 8-bit",
        ),
        Case(
            "zero", "a PNG of no width", "zero.png", partial(png, 0, 5, 8, 2, b""),
            (CUT, "has no pixels"),
        ),
        Case(
            "huge_bmp", "a BMP that claims 900 megapixels", "huge.bmp", huge_bmp,
            f"30000×30000 = 900 megapixels {over}",
        ),
    ]  # fmt: skip


def _names() -> list[Case]:
    names = [
        ("spaces", "two words .png", "with spaces"),
        ("unicode", "été 画像 🖼.png", "in any script"),
        ("dash", "-rf.png", "that begins with a dash"),
        ("percent", "%s{0}[bold].png", "with %, braces and brackets"),
        ("no_extension", "picture", "without extension"),
    ]
    if os.name == "posix":
        names.append(("quotes", "a'b\"c.png", "with quotes"))
        names.append(("newline", "a\nb.png", "with a line break"))
    cases = [
        Case(f"name_{name}", f"a file name {how}", file, _PNG, expect=RGB)
        for name, file, how in names
    ]
    jpeg = partial(encoded, RGB, "JPEG")
    return [
        *cases,
        Case("png_as_jpg", "a PNG named .jpg", "really_png.jpg", _PNG, expect=RGB),
        Case("jpg_as_png", "a JPEG named .png", "really_jpg.png", jpeg, shape=RGB.shape[:2]),
        Case("png_as_txt", "a PNG named .txt", "really_png.txt", _PNG, expect=RGB),
    ]


def _no_images() -> list[Case]:
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + _NOISE
    mif1 = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + _NOISE
    loop = b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8)
    no_heic = "HEIC is not read; pip install pillow-heif, and register it"
    no_jxl = "JPEG XL is not read; pip install pillow-jxl-plugin, and register it"
    signature = b"\x89PNG\r\n\x1a\n"
    rows: list[tuple[str, str, str, bytes, str]] = [
        ("empty", "an empty file", "empty.png", b"", "is empty (0 bytes); copy or save it again"),
        ("one_byte", "a file of one byte", "one_byte.png", b"P", _NO_IMAGE),
        ("text", "a text", "text.png", b"not an image at all\n" * 9, _NO_IMAGE),
        ("zeros", "zeros", "zeros.png", bytes(4096), _NO_IMAGE),
        ("noise", "noise", "noise.jpg", b"\0" + _NOISE, _NO_IMAGE),
        ("noise_tga", "noise named .tga", "noise.tga", b"\xff\xff\xff" + _NOISE, CUT),
        ("signature_png", "the signature of PNG alone", "signature.png", signature, CUT),
        ("signature_jpg", "the signature of JPEG alone", "signature.jpg", b"\xff\xd8\xff", CUT),
        ("noise_png", "noise behind a PNG's signature", "noise.png", signature + _NOISE, CUT),
        ("pickle", "a pickle", "pickle.png", pickle.dumps([1, 2, 3]), _NO_IMAGE),
        ("eps", "an EPS drawing", "drawing.eps", script, _NO_IMAGE),
        ("eps_as_png", "an EPS drawing named .png", "drawing.png", script, _NO_IMAGE),
        ("svg", "an SVG drawing", "drawing.svg", drawing, _NO_IMAGE),
        ("pdf", "a PDF", "page.png", b"%PDF-1.7\n", _NO_IMAGE),
        ("tiff_loop", "a TIFF whose directory points at itself", "loop.tif", loop, CUT),
        ("heic", "a HEIC without plug-in", "a.heic", heic, no_heic),
        ("heic_mif1", "a HEIC of the brand mif1", "b.heic", mif1, no_heic),
        ("jxl", "a JPEG XL without plug-in", "a.jxl", b"\xff\x0a" + _NOISE, no_jxl),
        (
            "jxl_box", "a JPEG XL in a container", "b.jxl",
            b"\0\0\0\x0cJXL \r\n\x87\n" + _NOISE, no_jxl,
        ),
    ]  # fmt: skip
    return [
        Case(name, given, file, partial(bytes, data), error)
        for name, given, file, data, error in rows
    ]


def _no_files() -> list[Case]:
    def below(path: Path) -> None:
        path.parent.write_bytes(b"a file")

    def pipe(path: Path) -> None:
        if not path.exists():
            os.mkfifo(path)

    def link(path: Path) -> None:
        if not path.is_symlink():
            path.symlink_to(path.name)

    def forbid(path: Path) -> None:
        path.chmod(0)

    def made(path: Path) -> None:
        path.mkdir(exist_ok=True)

    opened = "cannot be opened"
    rows: list[tuple[str, str, str, str | tuple[str, ...], Callable[[Path], None] | None]] = [
        ("folder", "a folder", "folder.png", "is a folder; give the image files in it", made),
        ("missing", "a file that is not there", "no.png", "no such file; check the path", None),
        (
            "below_a_file", "a path through a file", "file.png/b.png",
            (opened, "no such file; check the path"), below,
        ),
        ("null_byte", "a path with a null byte", "a\0b.png", "is not a path", None),
        ("long_name", "a name of 5,000 letters", "a" * 5000, opened, None),
    ]  # fmt: skip
    if os.name == "posix":
        no_file = "is not a regular file; save the image to a file first"
        rows.append(("pipe", "a named pipe", "pipe.png", no_file, pipe))
        rows.append(("link_loop", "a link to itself", "loop.png", opened, link))
    cases = [
        Case(name, given, file, None, error, place=place)
        for name, given, file, error, place in rows
    ]
    if os.name == "posix":
        denied = "permission denied; make the file readable"
        given = "a file without permission"
        cases.append(Case("forbidden", given, "forbidden.png", _PNG, denied, place=forbid))
    return cases


CASES = [*_sizes(), *_names(), *_no_images(), *_no_files()]
