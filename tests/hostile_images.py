"""Makes the odd and hostile image files that the decoding policy is tested with.

``python -m tests.hostile_images FOLDER`` writes them to look at.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, features

RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
RGBA = np.dstack([RGB, np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))])
GRAY = RGB[..., 0]
DEEP_RGB = np.random.default_rng(1).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
DEEP_RGBA = np.random.default_rng(2).integers(0, 65536, (48, 64, 4), dtype=np.uint16)
DEEP_GRAY = DEEP_RGB[..., 0]
SMOOTH = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)  # for lossy formats
CUT = "is cut off or damaged .*again"


@dataclass(frozen=True)
class Case:
    """One path, and what reading it must give.

    Parameters
    ----------
    name : str
    path : Path
    ok : bool
        Whether it can be read.
    error : str or None
        Regular expression that the message must match, where it cannot.
    expect : ndarray, (H, W, 3), or None
        Exact pixels: uint8, or float32 in [0, 1] within 1e-6.
    shape : (H, W) or None
        Size of the picture, where the pixels are not known exactly.
    big : bool
        Takes seconds or gigabytes to read.
    """

    name: str
    path: Path
    ok: bool = True
    error: str | None = None
    expect: np.ndarray | None = None
    shape: tuple[int, int] | None = None
    big: bool = False


def rgb(gray: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W, 3) of equal channels."""
    return np.repeat(gray[..., None], 3, axis=2)


def on_white(rgba: np.ndarray) -> np.ndarray:
    """What (H, W, 4) uint8 looks like on white, uint8 (H, W, 3)."""
    color, alpha = rgba[..., :3].astype(np.float64), rgba[..., 3:] / 255
    return np.round(color * alpha + 255 * (1 - alpha)).astype(np.uint8)


def encoded(pixels: np.ndarray | Image.Image, form: str, **options: object) -> bytes:
    """An image as the bytes of a file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    memory = io.BytesIO()
    image.save(memory, form, **options)
    return memory.getvalue()


def png(
    width: int, height: int, depth: int, color: int, rows: bytes, *extra: tuple[bytes, bytes]
) -> bytes:
    """A PNG written by hand; `rows` already start with their filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks:
        parts.append(struct.pack(">I", len(data)) + kind + data)
        parts.append(struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(parts)


def deep_png(pixels: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG of (H, W), (H, W, 3) or (H, W, 4) uint16."""
    height, width = pixels.shape[:2]
    lines = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    rows = np.hstack([np.zeros((height, 1), np.uint8), lines]).tobytes()
    color = {2: 0, 3: {3: 2, 4: 6}.get(pixels.shape[-1], 0)}[pixels.ndim]
    return png(width, height, 16, color, rows, *extra)


def deep_tiff(pixels: np.ndarray) -> bytes:
    """An uncompressed 16-bit RGB TIFF of (H, W, 3) uint16, little endian."""
    height, width = pixels.shape[:2]
    data = pixels.astype("<u2").tobytes()
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, 8 + len(data)),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 1, len(data)),
    ]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    bits = struct.pack("<HHH", 16, 16, 16)
    return b"II*\0" + struct.pack("<I", 8 + len(data) + len(bits)) + data + bits + directory


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """How a file whose EXIF says `orientation` must look, by the definition of the tag."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


class _Maker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: list[Case] = []

    def good(
        self, name: str, file: str, data: bytes, expect: np.ndarray | None = None, **more: object
    ) -> None:
        self.add(name, file, data, expect=expect, **more)

    def bad(self, name: str, file: str, data: bytes, error: str) -> None:
        self.add(name, file, data, ok=False, error=error)

    def add(self, name: str, file: str, data: bytes, **more: object) -> None:
        path = self.folder / file
        path.write_bytes(data)
        self.cases.append(Case(name, path, **more))  # type: ignore[arg-type]


def make_all(folder: Path) -> list[Case]:
    """Write every file into `folder`, which exists, and say what is expected of each."""
    make = _Maker(folder)
    for part in (_formats, _modes, _depths, _turns, _animations, _sizes, _names, _cut, _hostile):
        part(make)
    return make.cases


def _formats(make: _Maker) -> None:
    shape = RGB.shape[:2]
    make.good("png", "a.png", encoded(RGB, "PNG"), RGB)
    make.good("jpeg", "a.jpg", encoded(RGB, "JPEG", quality=95), shape=shape)
    progressive = encoded(RGB, "JPEG", progressive=True)
    make.good("jpeg_progressive", "progressive.jpg", progressive, shape=shape)
    make.good("jpeg_gray", "gray.jpg", encoded(SMOOTH, "JPEG"), shape=shape)
    make.good("bmp", "a.bmp", encoded(RGB, "BMP"), RGB)
    make.good("tiff", "a.tif", encoded(RGB, "TIFF"), RGB)
    make.good("tiff_lzw", "lzw.tif", encoded(RGB, "TIFF", compression="tiff_lzw"), RGB)
    make.good("gif", "a.gif", encoded(GRAY, "GIF"), rgb(GRAY))
    make.good("ppm", "a.ppm", encoded(RGB, "PPM"), RGB)
    plain = b"P3 2 1 255 1 2 3 4 5 6"
    make.good("ppm_plain", "plain.ppm", plain, np.arange(1, 7, dtype=np.uint8).reshape(1, 2, 3))
    make.good("tga", "a.tga", encoded(RGB, "TGA"), RGB)
    if features.check("webp"):
        make.good("webp", "a.webp", encoded(RGB, "WEBP"), shape=shape)
        make.good("webp_lossless", "lossless.webp", encoded(RGB, "WEBP", lossless=True), RGB)
    if features.check("jpg_2000"):
        make.good("jpeg2000", "a.jp2", encoded(RGB, "JPEG2000"), RGB)
        make.good("jpeg2000_stream", "a.j2k", encoded(RGB, "JPEG2000", no_jp2=True), RGB)
    if "AVIF" in Image.SAVE:
        make.good("avif", "a.avif", encoded(RGB, "AVIF"), shape=shape)


def _modes(make: _Maker) -> None:
    gray, color = Image.fromarray(GRAY), Image.fromarray(RGB)
    bits = rgb(np.where(GRAY > 127, 255, 0).astype(np.uint8))
    make.good("bits", "bits.png", encoded(gray.point(lambda v: 255 * (v > 127), "1"), "PNG"), bits)
    make.good("gray", "gray.png", encoded(gray, "PNG"), rgb(GRAY))
    alpha = Image.fromarray(RGBA[..., 3])
    gray_alpha = Image.merge("LA", (gray, alpha))
    pale = on_white(np.dstack([rgb(GRAY), RGBA[..., 3]]))
    make.good("gray_alpha", "gray_alpha.png", encoded(gray_alpha, "PNG"), pale)
    palette = color.quantize(16)
    flat = np.array(palette.convert("RGB"))
    make.good("palette", "palette.png", encoded(palette, "PNG"), flat)
    index = np.array(palette)
    white = np.where((index == 3)[..., None], 255, flat).astype(np.uint8)
    make.good("palette_one", "palette_one.png", encoded(palette, "PNG", transparency=3), white)
    levels = bytes(range(0, 256, 17))
    seen = on_white(np.dstack([flat, np.frombuffer(levels, np.uint8)[index]]))
    data = encoded(palette, "PNG", transparency=levels)
    make.good("palette_levels", "palette_levels.png", data, seen)
    make.good("palette_gif", "one.gif", encoded(palette, "GIF", transparency=3), white)
    opaque = np.dstack([RGB, np.full_like(GRAY, 255)])
    make.good("opaque", "opaque.png", encoded(opaque, "PNG"), RGB)
    make.good("transparent", "transparent.png", encoded(RGBA, "PNG"), on_white(RGBA))
    clear = np.dstack([RGB, np.zeros_like(GRAY)])
    make.good("invisible", "invisible.png", encoded(clear, "PNG"), np.full_like(RGB, 255))
    key = tuple(int(v) for v in RGB[5, 7])
    keyed = np.where((key == RGB).all(-1, keepdims=True), 255, RGB).astype(np.uint8)
    make.good("color_key", "color_key.png", encoded(RGB, "PNG", transparency=key), keyed)
    keyed = rgb(np.where(GRAY == 77, 255, GRAY).astype(np.uint8))
    make.good("gray_key", "gray_key.png", encoded(GRAY, "PNG", transparency=77), keyed)
    make.good("rgba_tiff", "rgba.tif", encoded(RGBA, "TIFF"), on_white(RGBA))
    ink = color.convert("CMYK")
    make.good("cmyk_tiff", "cmyk.tif", encoded(ink, "TIFF"), np.array(ink.convert("RGB")))
    make.good("cmyk_jpeg", "cmyk.jpg", encoded(ink, "JPEG"), shape=(48, 64))
    lab = _lab(RGB)
    make.good("lab", "lab.tif", encoded(lab, "TIFF"), np.array(lab.convert("RGB")))
    video = color.convert("YCbCr")
    data = encoded(video, "TIFF")
    if Image.open(io.BytesIO(data)).mode == "YCbCr":  # older Pillow cannot read what it wrote
        make.good("ycbcr", "ycbcr.tif", data, np.array(video.convert("RGB")))


def _lab(pixels: np.ndarray) -> Image.Image:
    return Image.merge("LAB", [Image.fromarray(np.ascontiguousarray(c)) for c in pixels.T])


def _depths(make: _Maker) -> None:
    unit = np.float32(65535)
    make.good("gray16", "gray16.png", deep_png(DEEP_GRAY), rgb(DEEP_GRAY) / unit)
    make.good("gray16_pillow", "gray16p.png", encoded(DEEP_GRAY, "PNG"), rgb(DEEP_GRAY) / unit)
    make.good("gray16_tiff", "gray16.tif", encoded(DEEP_GRAY, "TIFF"), rgb(DEEP_GRAY) / unit)
    big_endian = Image.frombytes("I;16B", (64, 48), DEEP_GRAY.astype(">u2").tobytes())
    make.good("gray16_be", "gray16be.tif", encoded(big_endian, "TIFF"), rgb(DEEP_GRAY) / unit)
    make.good("rgb16", "rgb16.png", deep_png(DEEP_RGB), DEEP_RGB / unit)
    make.good("rgb16_tiff", "rgb16.tif", deep_tiff(DEEP_RGB), DEEP_RGB / unit)
    alpha = DEEP_RGBA[..., 3:] / unit
    seen = DEEP_RGBA[..., :3] / unit * alpha + (1 - alpha)
    make.good("rgba16", "rgba16.png", deep_png(DEEP_RGBA), seen)
    key = (b"tRNS", struct.pack(">HHH", *DEEP_RGB[4, 9].tolist()))
    keyed = DEEP_RGB.copy()
    keyed[4, 9] = 65535
    make.good("rgb16_key", "rgb16_key.png", deep_png(DEEP_RGB, key), keyed / unit)
    small = DEEP_GRAY.astype(np.int32)
    make.good("int32_tiff", "int32.tif", encoded(small, "TIFF"), rgb(DEEP_GRAY) / unit)
    small[3, 3] = 70000
    make.bad("int32_large", "int32_large.tif", encoded(small, "TIFF"), "gray value 70000")
    floats = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    make.good("float_tiff", "float.tif", encoded(floats, "TIFF"), rgb(floats))
    over = floats * 255
    make.bad("float_large", "float255.tif", encoded(over, "TIFF"), "255.0; divide .* by 255")
    under = floats - np.float32(0.25)
    make.bad("float_negative", "float_negative.tif", encoded(under, "TIFF"), r"got -0\.25")
    holes = floats.copy()
    holes[2, 2] = np.nan
    make.bad("float_nan", "float_nan.tif", encoded(holes, "TIFF"), "got nan")


def _turns(make: _Maker) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(RGB, "PNG", exif=exif)
        make.good(f"turn{orientation}", f"turn{orientation}.png", data, turned(RGB, orientation))
    exif[0x0112] = 6
    make.good("turn_jpeg", "turn6.jpg", encoded(RGB, "JPEG", exif=exif), shape=(64, 48))
    make.good("turn_tiff", "turn6.tif", encoded(RGB, "TIFF", exif=exif), turned(RGB, 6))
    make.good(
        "turn_palette",
        "turn6p.png",
        encoded(Image.fromarray(GRAY).convert("P"), "PNG", exif=exif),
        turned(rgb(GRAY), 6),
    )
    deep = deep_png(DEEP_RGB, (b"eXIf", exif.tobytes()[6:]))
    make.good("turn_rgb16", "turn6_16.png", deep, turned(DEEP_RGB, 6) / np.float32(65535))
    odd = encoded(RGB, "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense")
    make.good("exif_damaged", "exif_damaged.png", odd, RGB)
    exif[0x0112] = 99
    make.good("exif_unknown", "exif_unknown.png", encoded(RGB, "PNG", exif=exif), RGB)


def _animations(make: _Maker) -> None:
    frames = [Image.fromarray(np.full_like(GRAY, level)) for level in (40, 120, 200)]
    first = np.full_like(RGB, 40)
    more = {"save_all": True, "append_images": frames[1:]}
    make.good("gif_animated", "animated.gif", encoded(frames[0], "GIF", **more), first)
    make.good("apng", "animated.png", encoded(frames[0], "PNG", **more), first)
    make.good("tiff_pages", "pages.tif", encoded(frames[0], "TIFF", **more), first)
    colors = [frame.convert("RGB") for frame in frames]
    stereo = encoded(colors[0], "MPO", save_all=True, append_images=colors[1:2])
    make.good("mpo", "two.mpo", stereo, first)
    if features.check("webp"):
        data = encoded(frames[0], "WEBP", lossless=True, **more)
        make.good("webp_animated", "animated.webp", data, first)


def _sizes(make: _Maker) -> None:
    for height, width in ((1, 1), (223, 225), (8, 10000), (10000, 8)):
        pixels = np.full((height, width, 3), 90, np.uint8)
        make.good(f"size{height}x{width}", f"{height}x{width}.png", encoded(pixels, "PNG"), pixels)
    large = encoded(Image.new("1", (12000, 9000), 1), "PNG")
    make.good("large", "large.png", large, shape=(9000, 12000), big=True)
    claim = png(60000, 60000, 8, 2, b"\0")
    make.bad("huge", "huge.png", claim, r"60000×60000 = 3600 megapixels is over the limit of 200")
    wide = png(200_000_001, 1, 8, 0, b"\0")
    make.bad("wide", "wide.png", wide, "over the limit of 200")
    unbelievable = png(2**31 - 1, 2**31 - 1, 8, 2, b"\0")
    make.bad("unbelievable", "unbelievable.png", unbelievable, "over the limit of 200")
    make.bad("zero", "zero.png", png(0, 5, 8, 2, b""), "is cut off or damaged|has no pixels")
    bitmap = encoded(RGB[:1, :1], "BMP")
    claim = bitmap[:18] + struct.pack("<ii", 30000, 30000) + bitmap[26:]
    make.bad("huge_bmp", "huge.bmp", claim, "30000×30000 = 900 megapixels is over the limit")


def _names(make: _Maker) -> None:
    data = encoded(RGB, "PNG")
    for name, file in (
        ("spaces", "two words .png"),
        ("unicode", "été 画像 🖼.png"),
        ("dash", "-rf.png"),
        ("percent", "%s{0}[bold].png"),
        ("no_extension", "picture"),
    ):
        make.good(f"name_{name}", file, data, RGB)
    if os.name == "posix":
        make.good("name_quotes", "a'b\"c.png", data, RGB)
        make.good("name_newline", "a\nb.png", data, RGB)
    make.good("png_as_jpg", "really_png.jpg", data, RGB)
    make.good("jpg_as_png", "really_jpg.png", encoded(RGB, "JPEG"), shape=RGB.shape[:2])
    make.good("png_as_txt", "really_png.txt", data, RGB)
    make.good("garbage_after", "garbage_after.png", data + b"garbage", RGB)


def _cut(make: _Maker) -> None:
    kinds: list[tuple[str, bytes]] = [
        ("png", encoded(RGB, "PNG")),
        ("jpg", encoded(RGB, "JPEG")),
        ("gif", encoded(GRAY, "GIF")),
        ("bmp", encoded(RGB, "BMP")),
        ("tif", encoded(RGB, "TIFF")),
        ("ppm", encoded(RGB, "PPM")),
    ]
    if features.check("webp"):
        kinds.append(("webp", encoded(RGB, "WEBP")))
    if features.check("jpg_2000"):
        kinds.append(("jp2", encoded(RGB, "JPEG2000")))
    if "AVIF" in Image.SAVE:
        kinds.append(("avif", encoded(RGB, "AVIF")))
    for kind, data in kinds:
        for percent in (10, 50, 99):
            part = data[: len(data) * percent // 100]
            make.bad(f"cut{percent}_{kind}", f"cut{percent}.{kind}", part, CUT)
    for kind, data in kinds[:3]:  # these three have a mark at their end
        make.bad(f"last_byte_{kind}", f"last_byte.{kind}", data[:-1], CUT)
    # All pixels are there, so that a lenient reader is content.
    make.bad("no_end_png", "no_end.png", encoded(RGB, "PNG")[:-12], CUT)


def _hostile(make: _Maker) -> None:
    make.bad("empty", "empty.png", b"", r"is empty \(0 bytes\)")
    make.bad("one_byte", "one_byte.png", b"P", "is not an image")
    make.bad("text", "text.png", b"not an image at all\n" * 9, "is not an image; save it as one of")
    make.bad("zeros", "zeros.png", bytes(4096), "is not an image")
    noise = np.random.default_rng(3).bytes(4096)
    make.bad("noise", "noise.jpg", b"\0" + noise, "is not an image")
    make.bad("noise_tga", "noise.tga", b"\xff\xff\xff" + noise, CUT)
    make.bad("signature_png", "signature.png", b"\x89PNG\r\n\x1a\n", CUT)
    make.bad("signature_jpg", "signature.jpg", b"\xff\xd8\xff", CUT)
    make.bad("noise_png", "noise.png", b"\x89PNG\r\n\x1a\n" + noise, CUT)
    make.bad("pickle", "pickle.png", pickle.dumps([1, 2, 3]), "is not an image")
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"
    make.bad("eps", "drawing.eps", script, "is not an image")
    make.bad("eps_as_png", "drawing.png", script, "is not an image")
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    make.bad("svg", "drawing.svg", drawing, "is not an image")
    make.bad("pdf", "page.png", b"%PDF-1.7\n", "is not an image")
    loop = b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8)
    make.bad("tiff_loop", "loop.tif", loop, CUT)
    data = bytearray(encoded(RGB, "PNG"))
    data[len(data) // 2] ^= 255
    make.bad("flipped_byte", "flipped.png", bytes(data), CUT)

    def nothing(name: str, file: str, error: str) -> None:
        make.cases.append(Case(name, make.folder / file, ok=False, error=error))

    (make.folder / "folder.png").mkdir()
    nothing("folder", "folder.png", "is a folder; give the image files in it")
    nothing("missing", "missing.png", "no such file; check the path")
    nothing("below_a_file", "a.png/b.png", "cannot be opened .*; check the path|no such file")
    nothing("null_byte", "a\0b.png", "is not a path .*; check the path")
    nothing("long_name", "a" * 5000, "cannot be opened .*; check the path")
    if os.name == "posix":
        os.mkfifo(make.folder / "pipe.png")
        nothing("pipe", "pipe.png", "is not a regular file")
        (make.folder / "loop.png").symlink_to("loop.png")
        nothing("link_loop", "loop.png", "cannot be opened .*; check the path")
    make.good("forbidden", "forbidden.png", encoded(RGB, "PNG"), RGB)
    case = make.cases.pop()
    case.path.chmod(0)
    if not os.access(case.path, os.R_OK):  # an administrator reads it all the same
        case = Case(case.name, case.path, ok=False, error="permission denied; make .* readable")
    make.cases.append(case)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for made in make_all(place):
        print(made.name, "ok" if made.ok else f"error: {made.error}", repr(made.path.name))
