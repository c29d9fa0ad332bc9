"""Whole files of any size and coding are read, and cut ones are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sriqa_metric.decoding.jpeg import structure
from sriqa_metric.errors import ImageError
from sriqa_metric.images import read_image
from tests.hostile import encoders

_SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))
_CONTENTS = st.sampled_from([None, 0, 127, 128, 255])  # noise or one level
_JPEG = st.fixed_dictionaries(
    {"quality": st.integers(1, 100)},
    optional={
        "progressive": st.booleans(),
        "optimize": st.booleans(),
        "restart_marker_blocks": st.integers(1, 9),
        "restart_marker_rows": st.integers(1, 3),
    },
)
_WEBP = st.fixed_dictionaries(
    {"quality": st.integers(0, 100), "method": st.integers(0, 6), "lossless": st.booleans()}
)


def picture(size: tuple[int, int], level: int | None, seed: int = 0) -> np.ndarray:
    """(H, W, 3) of noise, or of one level below noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    if level is not None:
        pixels[size[0] // 2 :] = level
    return pixels


@settings(max_examples=150, deadline=None)
@given(_SIZES, _CONTENTS, st.sampled_from(["RGB", "L", "CMYK"]), st.integers(0, 2), _JPEG)
def test_whole_jpegs_are_read(size, level, mode, subsampling, options):
    if mode != "L":
        options["subsampling"] = subsampling
    data = encoders.encoded(Image.fromarray(picture(size, level)).convert(mode), "JPEG", **options)
    assert read_image(data).shape[1:] == size
    assert data[structure(data).end :] == b"\xff\xd9"


@pytest.mark.skipif(not encoders.WEBP, reason="this Pillow has no WebP")
@settings(max_examples=60, deadline=None)
@given(_SIZES, _CONTENTS, _WEBP)
def test_whole_webps_are_read(size, level, options):
    data = encoders.encoded(picture(size, level), "WEBP", **options)
    assert read_image(data).shape[1:] == size


@settings(max_examples=60, deadline=None)
@given(_SIZES, _CONTENTS, st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA"]))
def test_whole_pngs_are_read(size, level, mode):
    image = Image.fromarray(picture(size, level)).convert(mode)
    assert read_image(encoders.encoded(image, "PNG")).shape[1:] == size


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([{}, {"progressive": True}, {"restart_marker_blocks": 7}]), st.data())
def test_a_jpeg_is_not_read_that_was_cut_and_closed(options, data):
    whole = encoders.encoded(picture((96, 96), None), "JPEG", quality=90, subsampling=0, **options)
    # The last block of 8×8 is 200 bytes; what ends between two scans is a picture too.
    part = data.draw(st.integers(whole.rindex(b"\xff\xda") + 30, len(whole) - 400))
    with pytest.raises(ImageError, match="is cut off or damaged"):
        read_image(whole[:part] + b"\xff\xd9")


def test_fill_before_the_end_mark_is_harmless():
    data = encoders.encoded(picture((48, 64), None), "JPEG")
    for fill in (b"\xff" * 9, bytes(300)):
        filled = data[:-2] + fill + data[-2:]
        assert np.array_equal(read_image(filled), read_image(data))
