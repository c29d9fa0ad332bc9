"""Any image a user has -> the RGB tensor it should be, or one clear error."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sriqa_metric.errors import ImageError
from sriqa_metric.images import read_image, to_tensor
from tests.hostile import CASES, READABLE, encoders, path_of, pixels


@pytest.mark.parametrize("kind", [str, Path])
def test_paths(kind):
    path = path_of("png")
    assert torch.equal(to_tensor(kind(path)), read_image(path))


@pytest.mark.answers(
    "Image files", "bytes of a file, or a binary file object", "the pixels of the file"
)
@pytest.mark.parametrize(
    "name", ["png", "jpeg", "webp", "avif", "gif", "tiff_lzw", "rgb16", "rgb16_tiff", "turn_jpeg"]
)
def test_bytes_and_file_objects_are_read_as_their_file(name):
    if name not in CASES:
        pytest.skip("this Pillow lacks it")
    path = path_of(name)
    expect, data = read_image(path), path.read_bytes()
    memory = io.BytesIO()
    memory.write(data)  # and stands at its end
    with path.open("rb") as file:
        for image in (data, bytearray(data), memoryview(data), memory, memory, file):
            assert torch.equal(to_tensor(image), expect)
        assert not file.closed
    assert not memory.closed


class Pipe:
    """Bytes that come once."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self) -> bytes:
        return self.data

    def seekable(self) -> bool:
        return False


def test_a_file_object_need_not_be_seekable():
    assert torch.equal(to_tensor(Pipe(path_of("png").read_bytes())), read_image(path_of("png")))


@pytest.mark.parametrize(
    ("name", "message"),
    [("cut50_png", "is cut off or damaged"), ("empty", r"is empty \(0 bytes\)")],
)
def test_errors_name_bytes_and_file_objects(name, message):
    path = path_of(name)
    with pytest.raises(ImageError, match=f"^bytes: {message}"):
        to_tensor(path.read_bytes())
    with pytest.raises(ImageError, match=f"^BytesIO: {message}"):
        to_tensor(io.BytesIO(path.read_bytes()))
    with path.open("rb") as file, pytest.raises(ImageError, match=message) as caught:
        to_tensor(file)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.answers(
    "Image files",
    "a file that is open as text, or closed",
    "error: open it in binary mode, 'rb'; check the file object",
)
def test_file_objects_that_give_no_bytes():
    with pytest.raises(
        ImageError, match=r"^StringIO: gives str, not bytes; open it in binary mode"
    ):
        to_tensor(io.StringIO("text"))
    with path_of("png").open(encoding="latin-1") as file:
        with pytest.raises(ImageError, match="png: gives str, not bytes; open it in binary mode"):
            to_tensor(file)
        file.close()
        with pytest.raises(ImageError, match=r"png: cannot be read \(.*closed.*check the file obj"):
            to_tensor(file)


@pytest.mark.parametrize("name", READABLE)
def test_pil_image_is_read_as_its_file(name):
    path = path_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            assert torch.equal(to_tensor(image), read_image(path))


@pytest.mark.parametrize("name", ["gray16", "rgb16", "rgb16_tiff", "turn_rgb16", "transparent"])
def test_pil_image_stays_usable(name):
    path = path_of(name)
    with Image.open(path) as image, Image.open(path) as untouched:
        to_tensor(image)
        assert np.array_equal(np.asarray(image), np.asarray(untouched))
        assert image.size == untouched.size


@pytest.mark.answers(
    "Images in memory",
    "a PIL image of 16-bit colour that is already loaded",
    "8 bits, which is all that Pillow keeps",
)
def test_colour_of_16_bits_is_8_bits_once_pillow_has_loaded_it():
    with Image.open(path_of("rgb16")) as image:
        image.load()
        assert np.array_equal(pixels(to_tensor(image)), encoders.DEEP_RGB >> 8)


@pytest.mark.answers(
    "Images in memory", "a PIL image after seek(n)", "the frame that was chosen is read"
)
def test_frame_chosen_in_pil_is_read():
    with Image.open(path_of("gif_animated")) as image:
        image.seek(2)
        assert (to_tensor(image) == 200).all()


@pytest.mark.answers(
    "Images in memory", "a PIL image that is already turned upright", "not turned again"
)
def test_orientation_already_applied_is_not_applied_again():
    from PIL import ImageOps

    with Image.open(path_of("turn6")) as image:
        found = pixels(to_tensor(ImageOps.exif_transpose(image)))
    assert np.array_equal(found, CASES["turn6"].pixels)


@pytest.mark.answers("Images in memory", "a PIL image of any mode", "converted to RGB")
@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"]
)
def test_modes_of_pil(mode):
    source = Image.fromarray(encoders.RGB)
    between = {"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
    image = source.convert(between).convert(mode)
    opaque = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    assert np.array_equal(pixels(to_tensor(image)), np.array(image.convert(opaque).convert("RGB")))


def test_palette_with_alpha_mode():
    image = Image.fromarray(encoders.RGBA).convert("LA").convert("PA")
    expect = encoders.on_white(np.array(image.convert("RGBA")))
    assert np.array_equal(pixels(to_tensor(image)), expect)


def test_errors_name_the_pil_image():
    with pytest.raises(ImageError, match=r"^PIL image: has no pixels, 0×5"):
        to_tensor(Image.new("RGB", (0, 5)))
    with pytest.raises(ImageError, match=r"^PIL image: 3×3 = 9e-06 megapixels is over the limit"):
        to_tensor(Image.new("RGB", (3, 3)), max_pixels=8)
    path = path_of("cut50_png")
    with (
        Image.open(path) as image,
        pytest.raises(ImageError, match="is cut off or damaged") as caught,
    ):
        to_tensor(image)
    assert str(caught.value).startswith(str(path))
    image = Image.open(path_of("jpeg"))
    image.close()
    with pytest.raises(ImageError, match="cut off or damaged"):
        to_tensor(image)
