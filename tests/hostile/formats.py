"""Healthy files: formats, modes, orientations, animations."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from PIL import Image

from .case import Case
from .encoders import (
    AVIF,
    DEEP_RGB,
    GRAY,
    JPEG2000,
    RGB,
    RGBA,
    SMOOTH,
    UNIT,
    WEBP,
    adam7_rows,
    deep_png,
    encoded,
    on_white,
    png,
    rgb,
    turned,
)

_SHAPE = RGB.shape[:2]


def _good(name: str, given: str, file: str, data: object, expect: object = None, **more: object):
    if expect is None:
        more.setdefault("shape", _SHAPE)
    return Case(name, given, file, data, expect=expect, **more)  # type: ignore[arg-type]


def _formats() -> list[Case]:
    of = partial(partial, encoded)
    plain = np.arange(1, 7, dtype=np.uint8).reshape(1, 2, 3)
    interlaced = partial(png, 64, 48, 8, 2, adam7_rows(RGB), interlaced=True)
    lzw = of(RGB, "TIFF", compression="tiff_lzw")
    cases = [
        _good("png", "a PNG", "a.png", of(RGB, "PNG"), RGB),
        _good("png_interlaced", "an interlaced PNG", "interlaced.png", interlaced, RGB),
        _good("jpeg", "a JPEG", "a.jpg", of(RGB, "JPEG", quality=95)),
        _good("jpeg_progressive", "a progressive JPEG", "p.jpg", of(RGB, "JPEG", progressive=True)),
        _good(
            "jpeg_restarts", "a JPEG with restart markers", "restarts.jpg",
            of(RGB, "JPEG", restart_marker_blocks=2),
        ),
        _good("jpeg_gray", "a gray JPEG", "gray.jpg", of(SMOOTH, "JPEG")),
        _good("bmp", "a BMP", "a.bmp", of(RGB, "BMP"), RGB),
        _good("tiff", "a TIFF", "a.tif", of(RGB, "TIFF"), RGB),
        _good("tiff_lzw", "a TIFF with LZW", "lzw.tif", lzw, RGB),
        _good("gif", "a GIF", "a.gif", of(GRAY, "GIF"), rgb(GRAY)),
        _good("ppm", "a PPM", "a.ppm", of(RGB, "PPM"), RGB),
        _good("ppm_plain", "a PPM in text", "plain.ppm", lambda: b"P3 2 1 255 1 2 3 4 5 6", plain),
        _good("tga", "a TGA", "a.tga", of(RGB, "TGA"), RGB),
    ]  # fmt: skip
    if WEBP:
        cases.append(_good("webp", "a WebP", "a.webp", of(RGB, "WEBP")))
        lossless = of(RGB, "WEBP", lossless=True)
        cases.append(_good("webp_lossless", "a lossless WebP", "lossless.webp", lossless, RGB))
    if JPEG2000:
        stream = of(RGB, "JPEG2000", no_jp2=True)
        cases.append(_good("jpeg2000", "a JPEG 2000", "a.jp2", of(RGB, "JPEG2000"), RGB))
        cases.append(_good("jpeg2000_stream", "a JPEG 2000 code stream", "a.j2k", stream, RGB))
    if AVIF:
        cases.append(_good("avif", "an AVIF", "a.avif", of(RGB, "AVIF")))
    return cases


def _modes() -> list[Case]:
    gray, color = Image.fromarray(GRAY), Image.fromarray(RGB)
    of, white = partial(partial, encoded), "composited on white"
    bits = rgb(np.where(GRAY > 127, 255, 0).astype(np.uint8))
    black = gray.point(lambda v: 255 * (v > 127), "1")
    gray_alpha = Image.merge("LA", (gray, Image.fromarray(RGBA[..., 3])))
    pale = on_white(np.dstack([rgb(GRAY), RGBA[..., 3]]))
    palette = color.quantize(16)
    flat = np.array(palette.convert("RGB"))
    index = np.array(palette)
    one = np.where((index == 3)[..., None], 255, flat).astype(np.uint8)
    levels = bytes(range(0, 256, 17))
    seen = on_white(np.dstack([flat, np.frombuffer(levels, np.uint8)[index]]))
    opaque = np.dstack([RGB, np.full_like(GRAY, 255)])
    clear = np.dstack([RGB, np.zeros_like(GRAY)])
    key = tuple(int(v) for v in RGB[5, 7])
    keyed = np.where((key == RGB).all(-1, keepdims=True), 255, RGB).astype(np.uint8)
    gray_keyed = rgb(np.where(GRAY == 77, 255, GRAY).astype(np.uint8))
    ink, video = color.convert("CMYK"), color.convert("YCbCr")
    lab = Image.merge("LAB", [Image.fromarray(np.ascontiguousarray(c)) for c in RGB.T])
    cases = [
        _good("bits", "a PNG of black and white", "bits.png", of(black, "PNG"), bits),
        _good("gray", "a gray PNG", "gray.png", of(gray, "PNG"), rgb(GRAY)),
        _good(
            "gray_alpha", "a gray PNG with alpha", "gray_alpha.png", of(gray_alpha, "PNG"), pale,
            answer=white,
        ),
        _good("palette", "a PNG with a palette", "palette.png", of(palette, "PNG"), flat),
        _good(
            "palette_one", "a palette with one transparent colour", "palette_one.png",
            of(palette, "PNG", transparency=3), one, answer=white,
        ),
        _good(
            "palette_levels", "a palette with levels of opacity", "palette_levels.png",
            of(palette, "PNG", transparency=levels), seen, answer=white,
        ),
        _good(
            "palette_gif", "a GIF with a transparent colour", "one.gif",
            of(palette, "GIF", transparency=3), one, answer=white,
        ),
        _good(
            "opaque", "a PNG with alpha that is opaque", "opaque.png", of(opaque, "PNG"), RGB,
            answer="the alpha is dropped",
        ),
        _good(
            "transparent", "a PNG with alpha", "transparent.png", of(RGBA, "PNG"), on_white(RGBA),
            answer=white,
        ),
        _good(
            "invisible", "a PNG that is wholly transparent", "invisible.png", of(clear, "PNG"),
            np.full_like(RGB, 255), answer="white",
        ),
        _good(
            "color_key", "a PNG with one transparent colour", "color_key.png",
            of(RGB, "PNG", transparency=key), keyed, answer=white,
        ),
        _good(
            "gray_key", "a gray PNG with one transparent level", "gray_key.png",
            of(GRAY, "PNG", transparency=77), gray_keyed, answer=white,
        ),
        _good(
            "rgba_tiff", "a TIFF with alpha", "rgba.tif", of(RGBA, "TIFF"), on_white(RGBA),
            answer=white,
        ),
        _good(
            "cmyk_tiff", "a CMYK TIFF", "cmyk.tif", of(ink, "TIFF"), np.array(ink.convert("RGB")),
            answer="converted to RGB",
        ),
        _good("cmyk_jpeg", "a CMYK JPEG", "cmyk.jpg", of(ink, "JPEG"), answer="converted to RGB"),
        _good(
            "lab", "a LAB TIFF", "lab.tif", of(lab, "TIFF"), np.array(lab.convert("RGB")),
            answer="converted to RGB",
        ),
    ]  # fmt: skip
    data = encoded(video, "TIFF")
    if Image.open(io.BytesIO(data)).mode == "YCbCr":  # older Pillow cannot read what it wrote
        expect = np.array(video.convert("RGB"))
        given = "a YCbCr TIFF"
        converted = "converted to RGB"
        cases.append(_good("ycbcr", given, "ycbcr.tif", lambda: data, expect, answer=converted))
    return cases


def _turns() -> list[Case]:
    upright, as_is = "turned upright", "read as it is stored"

    def exif(orientation: int) -> Image.Exif:
        made = Image.Exif()
        made[0x0112] = orientation
        return made

    of, six = partial(partial, encoded), exif(6)
    palette = Image.fromarray(GRAY).convert("P")
    deep = partial(deep_png, DEEP_RGB, (b"eXIf", six.tobytes()[6:]))
    odd = b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense"
    return [
        *(
            _good(
                f"turn{k}", "a PNG with an EXIF orientation", f"turn{k}.png",
                of(RGB, "PNG", exif=exif(k)), turned(RGB, k), answer=upright,
            )
            for k in range(1, 9)
        ),
        _good(
            "turn_jpeg", "a JPEG with an EXIF orientation", "turn6.jpg", of(RGB, "JPEG", exif=six),
            shape=(64, 48), answer=upright,
        ),
        _good(
            "turn_tiff", "a TIFF with an orientation", "turn6.tif", of(RGB, "TIFF", exif=six),
            turned(RGB, 6), answer=upright,
        ),
        _good(
            "turn_palette", "a palette with an EXIF orientation", "turn6p.png",
            of(palette, "PNG", exif=six), turned(rgb(GRAY), 6), answer=upright,
        ),
        _good(
            "turn_rgb16", "a 16-bit PNG with an EXIF orientation", "turn6_16.png", deep,
            turned(DEEP_RGB, 6) / UNIT, answer=upright,
        ),
        _good(
            "exif_damaged", "a PNG with damaged EXIF", "exif_damaged.png", of(RGB, "PNG", exif=odd),
            RGB, answer=as_is,
        ),
        _good(
            "exif_unknown", "a PNG with EXIF orientation 99", "exif_unknown.png",
            of(RGB, "PNG", exif=exif(99)), RGB, answer=as_is,
        ),
    ]  # fmt: skip


def _animations() -> list[Case]:
    frames = [Image.fromarray(np.full_like(GRAY, level)) for level in (40, 120, 200)]
    colors = [frame.convert("RGB") for frame in frames]
    first = np.full_like(RGB, 40)
    of = partial(partial, encoded, frames[0], save_all=True, append_images=frames[1:])
    stereo = partial(encoded, colors[0], "MPO", save_all=True, append_images=colors[1:2])
    answer = "the first frame is read"
    rows = [
        ("gif_animated", "an animated GIF", "animated.gif", of("GIF")),
        ("apng", "an animated PNG", "animated.png", of("PNG")),
        ("tiff_pages", "a TIFF of several pages", "pages.tif", of("TIFF")),
        ("mpo", "an MPO of two pictures", "two.mpo", stereo),
    ]
    if WEBP:
        rows.append(("webp_animated", "an animated WebP", "a3.webp", of("WEBP", lossless=True)))
    return [_good(*row, first, answer=answer) for row in rows]


CASES = [*_formats(), *_modes(), *_turns(), *_animations()]
