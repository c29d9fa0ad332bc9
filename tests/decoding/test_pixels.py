"""What decoding takes of the memory, and its limit."""

from __future__ import annotations

import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.decoding import pixels
from sriqa_metric.errors import ImageError
from sriqa_metric.images import read_image, to_tensor
from tests.hostile import encoders, path_of

_PEAK = """
import resource, sys
from sriqa_metric.images import read_image
import torch
def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
before = peak()
image = read_image(sys.argv[1])
print(peak() - before, image.untyped_storage().nbytes())
"""


@pytest.mark.answers(
    "Work and memory",
    "a 16-bit RGBA PNG",
    "20 bytes a pixel and some rows: 8 in Pillow, 12 that are returned",
)
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_peak_of_sixteen_bits_with_alpha(tmp_path):
    height, width = 4000, 5000
    row = b"\0" + np.arange(width * 4, dtype=">u2").tobytes()
    path = tmp_path / "a.png"
    path.write_bytes(encoders.png(width, height, 16, 6, row * height))
    command = [sys.executable, "-c", _PEAK, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, returned = map(int, done.stdout.split())
    assert returned == 12 * width * height
    pillow = 2 * 4 * width * height  # high bytes and low bytes
    assert peak < pillow + 1.5 * returned


def test_bands_give_what_the_whole_gives(monkeypatch):
    names = (
        "rgba16",
        "rgb16_key",
        "gray12",
        "white_zero16",
        "turn_rgb16",
        "transparent",
        "float_tiff",
    )
    whole = [read_image(path_of(name)) for name in names]
    array = to_tensor(encoders.DEEP_RGBA)
    monkeypatch.setattr(pixels, "_BAND", 130)
    for name, expect in zip(names, whole, strict=True):
        assert np.array_equal(read_image(path_of(name)), expect)
    assert np.array_equal(to_tensor(encoders.DEEP_RGBA), array)


@pytest.mark.answers(
    "Work and memory",
    "an image of more than 2 GB of pixels as they are returned",
    "error from the header, before anything is decoded",
)
def test_limit_of_bytes_counts_what_is_returned(monkeypatch):
    monkeypatch.setattr(pixels, "MAX_BYTES", 3 * 48 * 64)
    for name in ("png", "gray", "jpeg", "palette"):
        read_image(path_of(name))
    for name, size in (("gray16", 4), ("rgb16", 12), ("rgb16_tiff", 12), ("float_tiff", 4)):
        with pytest.raises(ImageError, match=f"64×48 of {size} bytes a pixel = .* is over the lim"):
            read_image(path_of(name))
    with pytest.raises(ImageError, match=r"^PIL image: 65×48 of 3 bytes a pixel = 9\.36e-06 GB is"):
        to_tensor(Image.new("RGB", (65, 48)))


def test_two_hundred_megapixels_of_eight_bits_are_within_it():
    assert pixels.MAX_BYTES >= 3 * 200_000_000


@pytest.mark.answers(
    "Work and memory",
    "too little memory to decode an image",
    "error of that image: score a part of it",
)
def test_too_little_memory_is_the_error_of_the_image(monkeypatch):
    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pixels, "_load", fails)
    with pytest.raises(ImageError, match=r"png: not enough memory to decode it; score a part"):
        read_image(path_of("png"))


@pytest.mark.answers(
    "Work and memory",
    "a PNG that unpacks to more than it claims",
    "what it claims is read, the rest is not",
)
def test_png_that_unpacks_to_more_than_it_claims(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoders.png(4, 4, 8, 0, bytes(10_000_000)))
    assert len(zlib.compress(bytes(10_000_000), 1)) < 50_000
    assert not read_image(path).any()
