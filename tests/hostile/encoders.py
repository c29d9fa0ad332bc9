"""Pictures, and files of them, also such as no library writes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, features

RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
RGBA = np.dstack([RGB, np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))])
GRAY = RGB[..., 0]
DEEP_RGB = np.random.default_rng(1).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
DEEP_RGBA = np.random.default_rng(2).integers(0, 65536, (48, 64, 4), dtype=np.uint16)
DEEP_GRAY = DEEP_RGB[..., 0]
SMOOTH = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)  # for lossy formats
UNIT = np.float32(65535)
WEBP, JPEG2000 = bool(features.check("webp")), bool(features.check("jpg_2000"))
AVIF = "avif" in features.modules and bool(features.check("avif"))  # old Pillow lacks it


def rgb(gray: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W, 3) of equal channels."""
    return np.repeat(gray[..., None], 3, axis=2)


def on_white(rgba: np.ndarray) -> np.ndarray:
    """What (H, W, 4) uint8 looks like on white, uint8 (H, W, 3)."""
    color, alpha = rgba[..., :3].astype(np.float64), rgba[..., 3:] / 255
    return np.round(color * alpha + 255 * (1 - alpha)).astype(np.uint8)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """How a file whose EXIF says `orientation` must look, by the definition of the tag."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def encoded(pixels: np.ndarray | Image.Image, form: str, **options: object) -> bytes:
    """An image as the bytes of a file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    memory = io.BytesIO()
    image.save(memory, form, **options)
    return memory.getvalue()


def png(
    width: int,
    height: int,
    depth: int,
    color: int,
    rows: bytes,
    *extra: tuple[bytes, bytes],
    interlaced: bool = False,
) -> bytes:
    """A PNG written by hand; `rows` already start with their filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks:
        parts.append(struct.pack(">I", len(data)) + kind + data)
        parts.append(struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(parts)


def png_rows(pixels: np.ndarray) -> bytes:
    """Rows of (H, W, C) uint8 for `png`, unfiltered."""
    lines = pixels.reshape(len(pixels), -1)
    return np.hstack([np.zeros((len(pixels), 1), np.uint8), lines]).tobytes()


def adam7_rows(pixels: np.ndarray) -> bytes:
    """Rows of an interlaced PNG."""
    steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
    steps += ((1, 0, 2, 1),)
    return b"".join(png_rows(pixels[top::down, left::across]) for top, left, down, across in steps)


def deep_png(pixels: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG of (H, W), (H, W, 3) or (H, W, 4) uint16."""
    height, width = pixels.shape[:2]
    lines = np.ascontiguousarray(pixels.astype(">u2")).reshape(height, -1).view(np.uint8)
    color = {2: 0, 3: {3: 2, 4: 6}.get(pixels.shape[-1], 0)}[pixels.ndim]
    return png(width, height, 16, color, png_rows(lines), *extra)


def tiff(
    pixels: np.ndarray,
    photometric: int = 1,
    *,
    bits: int | None = None,
    data: bytes | None = None,
    planes: bool = False,
    extra: int | None = None,
    kind: int | None = None,
    compression: int = 1,
) -> bytes:
    """An uncompressed TIFF of (H, W) or (H, W, C), little endian, that says what it is told to."""
    height, width = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    bits = bits or pixels.itemsize * 8
    kind = kind or {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    ordered = pixels.transpose(2, 0, 1) if planes else pixels
    data = data or ordered.astype(pixels.dtype.newbyteorder("<")).tobytes()
    each = len(data) // (samples if planes else 1)
    strips = [8 + each * k for k in range(samples if planes else 1)]
    tags: dict[int, tuple[str, list[int]]] = {
        256: ("H", [width]),
        257: ("H", [height]),
        258: ("H", [bits] * samples),
        259: ("H", [compression]),
        262: ("H", [photometric]),
        273: ("I", strips),
        277: ("H", [samples]),
        278: ("H", [height]),
        279: ("I", [each] * len(strips)),
        284: ("H", [2 if planes else 1]),
        339: ("H", [kind] * samples),
    }
    if extra is not None:
        tags[338] = ("H", [extra])
    tail, directory = b"", struct.pack("<H", len(tags))
    for tag, (letter, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{letter}", *values)
        if len(packed) > 4:
            place = 8 + len(data) + len(tail)
            tail += packed
            packed = struct.pack("<I", place)
        code = {"H": 3, "I": 4}[letter]
        directory += struct.pack("<HHI", tag, code, len(values)) + packed.ljust(4, b"\0")
    return (
        b"II*\0" + struct.pack("<I", 8 + len(data) + len(tail)) + data + tail + directory + bytes(4)
    )


def twelve_bits(pixels: np.ndarray) -> bytes:
    """(H, W) uint16 below 4096, W even, packed as TIFF does."""
    first, second = pixels[:, ::2].ravel(), pixels[:, 1::2].ravel()
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1)
    return packed.astype(np.uint8).tobytes()
