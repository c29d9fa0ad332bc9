"""Arrays and tensors -> the RGB tensor they should be, or one clear error."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from sriqa_metric.errors import ImageError, SriqaError
from sriqa_metric.images import KeptImage, as_float, name_of, to_tensor
from tests.hostile import encoders, pixels

MEASURED = 1e-6  # float32 against the same arithmetic in float64


@pytest.mark.answers(
    "Images in memory", "one picture as array, PIL image or tensor", "the same pixels"
)
def test_every_container_gives_the_same():
    array = encoders.RGB
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    for image in (array, Image.fromarray(array), tensor, tensor[None], array[::-1][::-1]):
        found = to_tensor(image)
        assert found.dtype == torch.uint8
        assert torch.equal(found, tensor)
    floats = as_float(tensor)
    assert floats.dtype == torch.float32
    assert as_float(floats) is floats
    for image in (array / 255, array.astype(np.float32) / 255, floats, floats[None]):
        found = to_tensor(image)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, floats, rtol=0, atol=1e-7)
    wide = array.astype(np.uint16) * 257
    torch.testing.assert_close(to_tensor(wide), floats, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2", np.float16, np.float32, ">f8"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_shapes_and_dtypes_of_arrays(dtype, shape):
    top = {"u": {1: 255, 2: 65535}, "f": {2: 1, 4: 1, 8: 1}}[np.dtype(dtype).kind]
    top = top[np.dtype(dtype).itemsize]
    array = (np.linspace(0, 1, int(np.prod(shape))).reshape(shape) * top).astype(dtype)
    before = array.copy()
    found = as_float(to_tensor(array))
    unit = array.astype(np.float64) / top
    color = unit[..., :3] if len(shape) == 3 else unit[..., None]
    if shape[-1] == 4:
        color = color * unit[..., 3:] + 1 - unit[..., 3:]
    tolerance = 0.5 / 255 + 1e-6 if dtype == np.uint8 and shape[-1] == 4 else MEASURED
    expect = np.broadcast_to(color, (5, 7, 3))
    np.testing.assert_allclose(pixels(found), expect, rtol=0, atol=tolerance)
    assert np.array_equal(array, before)


@pytest.mark.answers(
    "Images in memory",
    "an array that is flipped, strided, transposed or broadcast",
    "the pixels as numpy shows them",
)
@pytest.mark.parametrize(
    "turn",
    [
        lambda a: a[::-1],
        lambda a: a[:, ::-1, ::-1],
        lambda a: a[::2, 1::3],
        lambda a: a.transpose(1, 0, 2),
        lambda a: np.asfortranarray(a),
        lambda a: np.broadcast_to(a[:1], a.shape),
    ],
    ids=["flipped", "bgr", "steps", "transposed", "fortran", "broadcast"],
)
@pytest.mark.parametrize(
    "array", [encoders.RGB, encoders.DEEP_RGB, encoders.RGB / 255], ids=["uint8", "uint16", "float"]
)
def test_any_memory_order(turn, array):
    turned = turn(array)
    assert torch.equal(to_tensor(turned), to_tensor(np.array(turned, order="C")))


@pytest.mark.answers(
    "Images in memory", "an array that cannot be written", "copied, without a warning"
)
def test_arrays_that_cannot_be_written_give_no_warning():
    array = encoders.RGB.copy()
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(pixels(to_tensor(array)), array)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 5, 7), (1, 3, 5, 7), (1, 1, 5, 7)])
def test_shapes_and_dtypes_of_tensors(dtype, shape):
    tensor = torch.ones(shape, dtype=dtype)
    found = to_tensor(tensor)
    assert found.shape == (3, 5, 7)
    assert found.dtype == (torch.uint8 if dtype == torch.uint8 else torch.float32)
    assert (found == 1).all()


@pytest.mark.answers("Images in memory", "a tensor that requires gradients", "gradients flow to it")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_flow(channels, dtype):
    tensor = torch.rand(1, channels, 4, 5, dtype=dtype, requires_grad=True)
    to_tensor(tensor).sum().backward()
    assert torch.equal(tensor.grad, torch.full_like(tensor, 3 / channels))


ARRAYS = {
    "rank1": (np.zeros(5), r"\(5,\)"),
    "rank4": (np.zeros((2, 5, 5, 3)), r"\(2, 5, 5, 3\); give the images one by one"),
    "two_channels": (np.zeros((5, 6, 2)), r"\(5, 6, 2\)$"),
    "channels_first": (np.zeros((3, 5, 6)), r"\(3, 5, 6\); it looks like \(C, H, W\): give array"),
    "no_rows": (np.zeros((0, 5, 3)), r"no pixels, shape \(0, 5, 3\)"),
    "bool": (np.zeros((5, 5), bool), "dtype bool"),
    "int32": (np.zeros((5, 5), np.int32), "dtype int32"),
    "uint32": (np.zeros((5, 5), np.uint32), "dtype uint32"),
    "int8": (np.zeros((5, 5), np.int8), "dtype int8"),
    "complex": (np.zeros((5, 5), complex), "dtype complex128"),
    "objects": (np.zeros((5, 5), object), "dtype object"),
    "text": (np.full((5, 5), "a"), "dtype <U1"),
    "nan": (np.full((5, 5), np.nan), "got nan; clip or scale"),
    "infinite": (np.full((5, 5), np.inf), "got inf; clip or scale"),
    "minus_infinite": (np.full((5, 5), -np.inf), "got -inf; clip or scale"),
    "one_nan": (np.where(np.eye(5) == 1, np.nan, 0.5), "got nan"),
    "negative": (np.full((5, 5), -0.25), r"got -0\.25; clip or scale"),
    "eight_bits": (np.full((5, 5), 200.0), r"got 200\.0; divide 8-bit values by 255"),
    "just_over": (np.full((5, 5), 1.0000001), r"got 1\.0000001;"),
    "enormous": (np.full((5, 5), 1e300), r"got 1e\+300"),
}
TENSORS = {
    "rank2": (torch.zeros(5, 6), r"\(5, 6\)$"),
    "rank5": (torch.zeros(1, 1, 3, 5, 6), r"\(1, 1, 3, 5, 6\)$"),
    "batch": (torch.zeros(2, 3, 5, 6), r"\(2, 3, 5, 6\); give the images one by one"),
    "no_batch": (torch.zeros(0, 3, 5, 6), r"\(0, 3, 5, 6\)"),
    "four_channels": (torch.zeros(4, 5, 6), r"\(4, 5, 6\)$"),
    "channels_last": (torch.zeros(5, 6, 3), r"looks like \(H, W, C\): give tensor\.permute"),
    "no_columns": (torch.zeros(3, 5, 0), r"no pixels, shape \(3, 5, 0\)"),
    "bool": (torch.zeros(3, 5, 5, dtype=torch.bool), r"dtype torch\.bool"),
    "int64": (torch.zeros(3, 5, 5, dtype=torch.int64), r"dtype torch\.int64"),
    "complex": (torch.zeros(3, 5, 5, dtype=torch.complex64), r"dtype torch\.complex64"),
    "nan": (torch.full((3, 5, 5), torch.nan), "got nan"),
    "infinite": (torch.full((3, 5, 5), torch.inf), "got inf"),
    "negative": (torch.full((3, 5, 5), -0.5), r"got -0\.5"),
    "eight_bits": (torch.full((3, 5, 5), 255.0), r"got 255\.0; divide 8-bit values by 255"),
    "enormous": (torch.full((3, 5, 5), 1e300, dtype=torch.float64), r"got 1e\+300"),
}


GIVEN = {
    "rank4": ("an array of several images", "error: give the images one by one"),
    "two_channels": ("an array of two channels", "error: expected (H, W), (H, W, 3) or (H, W, 4)"),
    "channels_first": ("an array (C, H, W)", "error: give array.transpose(1, 2, 0)"),
    "no_rows": ("an array without rows", "error: has no pixels"),
    "bool": (
        "an array of bool",
        "error: expected uint8, uint16 or float in [0, 1]",
    ),
    "int32": ("an array of int32", "error: expected uint8, uint16 or float in [0, 1]"),
    "nan": ("an array with NaN", "error: got nan; clip or scale them"),
    "infinite": ("an array with infinity", "error: got inf; clip or scale them"),
    "negative": ("an array with a negative value", "error that quotes it; clip or scale them"),
    "eight_bits": ("a float array in 0..255", "error: divide 8-bit values by 255"),
    "just_over": ("a float array with 1.0000001", "error that quotes it"),
}
GIVEN_TENSORS = {
    "batch": ("a tensor of several images", "error: give the images one by one"),
    "four_channels": ("a tensor of four channels", "error: expected (3, H, W) or (1, H, W)"),
    "channels_last": ("a tensor (H, W, C)", "error: give tensor.permute(2, 0, 1)"),
    "no_columns": ("a tensor without columns", "error: has no pixels"),
    "int64": ("a tensor of int64", "error: expected uint8 or float in [0, 1]"),
    "nan": ("a tensor with NaN", "error: got nan"),
    "eight_bits": ("a float tensor in 0..255", "error: divide 8-bit values by 255"),
}


def with_rows(cases: dict[str, object], given: dict[str, tuple[str, str]]) -> list[object]:
    """Names of the cases, marked with their rows of the table of answers."""
    return [
        pytest.param(name, marks=pytest.mark.answers("Images in memory", *given[name]))
        if name in given
        else name
        for name in cases
    ]


@pytest.mark.parametrize("name", with_rows(ARRAYS, GIVEN))
def test_bad_arrays(name):
    array, message = ARRAYS[name]
    with pytest.raises(ImageError, match=r"^array: .*" + message):
        to_tensor(array)


@pytest.mark.parametrize("name", with_rows(TENSORS, GIVEN_TENSORS))
def test_bad_tensors(name):
    tensor, message = TENSORS[name]
    with pytest.raises(ImageError, match=r"^tensor: .*" + message):
        to_tensor(tensor)


@pytest.mark.answers(
    "Images in memory",
    "a list, a number or None as an image",
    "error that names the type and what is expected",
)
@pytest.mark.parametrize("thing", [None, 3, [[0.5]], {"a": 1}])
def test_other_types(thing):
    with pytest.raises(ImageError, match=f"an ndarray or a tensor, got {type(thing).__name__}"):
        to_tensor(thing)


def test_image_error_is_an_error_of_the_package():
    assert issubclass(ImageError, SriqaError)
    assert issubclass(ImageError, ValueError)


@pytest.mark.answers("Work and memory", "an image read for several uses (`--map`)", "decoded once")
def test_a_kept_image_is_decoded_once(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    Image.new("RGB", (3, 2), (10, 20, 30)).save(path)
    kept = KeptImage(str(path))
    first = to_tensor(kept)
    path.unlink()
    assert to_tensor(kept) is first
    assert name_of(kept) == str(path)
    missing = KeptImage(path)
    for _ in range(2):
        with pytest.raises(ImageError, match=r"x\.png: no such file"):
            to_tensor(missing)


def test_a_kept_image_has_a_score_as_any_other(lite, picture):
    assert lite.score(KeptImage(picture)) == lite.score(picture)
