"""Any image a user has -> the RGB tensor it should be, or one clear error."""

from __future__ import annotations

import re
import tempfile
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from sriqa_metric.errors import ImageError, SriqaError
from sriqa_metric.images import MAX_PIXELS, as_float, read_image, to_tensor
from tests import hostile_images as hostile
from tests.hostile_images import Case, make_all

MEASURED = 1e-6  # float32 against the same arithmetic in float64


# Made when the tests are collected, which needs the names; removed when the process ends.
FOLDER = tempfile.TemporaryDirectory()
CASES = {case.name: case for case in make_all(Path(FOLDER.name))}
READABLE = [name for name, case in CASES.items() if case.ok and not case.big]


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    """Every odd and hostile file, by name."""
    return CASES


def pixels(image: torch.Tensor) -> np.ndarray:
    """(3, H, W) -> (H, W, 3)."""
    return image.permute(1, 2, 0).numpy()


def check(case: Case) -> None:
    """Read the file of a case and compare with what it must give."""
    if not case.ok:
        with pytest.raises(ImageError) as caught:
            read_image(case.path)
        message = str(caught.value)
        quoted = str(case.path) if "\0" not in str(case.path) else repr(str(case.path))
        assert message.startswith(quoted + ": ")
        assert re.search(case.error, message[len(quoted) :]), message
        return
    image = read_image(case.path)
    assert image.dtype in (torch.uint8, torch.float32)
    assert image.ndim == 3
    assert image.shape[0] == 3
    if case.expect is None:
        assert tuple(image.shape[1:]) == case.shape
    else:
        assert pixels(image).dtype == case.expect.astype(pixels(image).dtype).dtype
        tolerance = 0 if case.expect.dtype == np.uint8 else MEASURED
        np.testing.assert_allclose(pixels(image), case.expect, rtol=0, atol=tolerance)
        assert (image.dtype == torch.uint8) == (case.expect.dtype == np.uint8)


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_file(cases, name):
    with warnings.catch_warnings():
        # Nothing that decides may come as a warning; damaged EXIF may.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", message="Corrupt EXIF|Truncated File Read")
        check(cases[name])


def test_cut_files_are_errors_even_where_pillow_is_told_to_load_them(cases, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    chosen = [c for c in cases.values() if c.name.startswith(("cut", "last_byte", "no_end"))]
    assert len(chosen) >= 20
    for case in chosen:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(case)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_good_files_read_the_same_where_pillow_is_told_to_load_cut_ones(cases, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in READABLE:
            check(cases[name])


def test_limit_of_pillow_does_not_decide(cases, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for name in ("png", "jpeg", "bmp", "tiff", "tiff_lzw", "rgb16_tiff", "ppm", "palette"):
            check(cases[name])
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_where_pillow_refuses_the_error_says_so(cases, monkeypatch):
    def refuse(*_: object) -> Image.Image:
        raise Image.DecompressionBombError("Image size (190000000 pixels) exceeds limit")

    Image.init()
    monkeypatch.setitem(Image.OPEN, "PNG", (refuse, Image.OPEN["PNG"][1]))
    with pytest.raises(ImageError, match=r"Pillow refuses it .*190000000.*MAX_IMAGE_PIXELS"):
        read_image(cases["png"].path)


def test_between_the_limits_of_pillow_and_ours(tmp_path):
    # 187.5 megapixels: Image.open raises here; the policy goes on, and misses the pixels.
    path = tmp_path / "a.png"
    path.write_bytes(hostile.png(15000, 12500, 1, 0, b"\0"))
    with pytest.raises(ImageError, match="cut off or damaged"):
        read_image(path)
    with pytest.raises(
        ImageError, match=r"15000×12500 = 187.5 megapixels is over the limit of 100"
    ):
        read_image(path, max_pixels=100_000_000)


def test_max_pixels_is_inclusive(cases):
    path = cases["png"].path
    assert read_image(path, max_pixels=48 * 64).shape == (3, 48, 64)
    with pytest.raises(
        ImageError, match=r"64×48 = 0\.003072 megapixels is over the limit of 0.003"
    ):
        read_image(path, max_pixels=48 * 64 - 1)
    assert MAX_PIXELS == 200_000_000


def test_ghostscript_is_never_asked(cases, monkeypatch):
    import subprocess

    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    check(cases["eps"])
    check(cases["eps_as_png"])


def test_global_state_is_left_alone_and_threads_do_not_mix(cases):
    state = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    chosen = [c for c in cases.values() if not c.big and c.name != "exif_damaged"]
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for case in chosen[start:] + chosen[:start]:
                check(case)
        except BaseException as error:
            failures.append(error)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=work, args=(9 * k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    now = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    assert now == state


def test_large_images_are_read_without_any_warning(cases):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(cases["large"].path)
    assert image.shape == (3, 9000, 12000)
    assert image.dtype == torch.uint8
    assert image.storage_offset() == 0
    assert image.untyped_storage().nbytes() == 9000 * 12000  # one channel, seen three times
    assert (image[:, ::1000, ::1000] == 255).all()


def test_pixels_lie_as_decoded(cases):
    image = read_image(cases["png"].path)
    assert image.stride() == (1, 3 * 64, 3)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4]), st.randoms())
def test_what_is_saved_as_png_is_read_back(tmp_path, height, width, channels, random):
    shape = (height, width) if channels == 1 else (height, width, channels)
    array = np.frombuffer(random.randbytes(int(np.prod(shape))), np.uint8).reshape(shape)
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    expect = {1: hostile.rgb, 3: np.asarray, 4: hostile.on_white}[channels](array)
    assert np.array_equal(pixels(read_image(path)), expect)
    assert np.array_equal(pixels(to_tensor(array)), expect)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_gives_pixels_or_an_image_error(cases, data):
    names = ["png", "jpeg", "gif", "bmp", "tiff_lzw", "rgb16", "turn_jpeg", "palette_levels"]
    file = bytearray(cases[data.draw(st.sampled_from(names))].path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        # Mostly near the beginning, where the structure is.
        where = data.draw(
            st.integers(0, min(len(file), data.draw(st.sampled_from([80, 1 << 20]))) - 1)
        )
        file[where] = data.draw(st.integers(0, 255))
    path = cases["png"].path.with_name("damaged")
    path.write_bytes(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = tuple(read_image(path, max_pixels=1_000_000).shape[:1])
        except ImageError as error:
            found = str(error)
    assert found == (3,) or found.startswith(f"{path}: ")


# --- containers -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
def test_paths(cases, kind):
    path = cases["png"].path
    assert torch.equal(to_tensor(kind(path)), read_image(path))


@pytest.mark.parametrize("name", READABLE)
def test_pil_image_is_read_as_its_file(cases, name):
    case = cases[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(case.path) as image:
            assert torch.equal(to_tensor(image), read_image(case.path))


@pytest.mark.parametrize("name", ["gray16", "rgb16", "rgb16_tiff", "turn_rgb16", "transparent"])
def test_pil_image_stays_usable(cases, name):
    path = cases[name].path
    with Image.open(path) as image, Image.open(path) as untouched:
        to_tensor(image)
        assert np.array_equal(np.asarray(image), np.asarray(untouched))
        assert image.size == untouched.size


def test_colour_of_16_bits_is_8_bits_once_pillow_has_loaded_it(cases):
    with Image.open(cases["rgb16"].path) as image:
        image.load()
        assert np.array_equal(pixels(to_tensor(image)), hostile.DEEP_RGB >> 8)


def test_frame_chosen_in_pil_is_read(cases):
    with Image.open(cases["gif_animated"].path) as image:
        image.seek(2)
        assert (to_tensor(image) == 200).all()


def test_orientation_already_applied_is_not_applied_again(cases):
    from PIL import ImageOps

    case = cases["turn6"]
    with Image.open(case.path) as image:
        assert np.array_equal(pixels(to_tensor(ImageOps.exif_transpose(image))), case.expect)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"]
)
def test_modes_of_pil(mode):
    source = Image.fromarray(hostile.RGB)
    between = {"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
    image = source.convert(between).convert(mode)
    opaque = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    assert np.array_equal(pixels(to_tensor(image)), np.array(image.convert(opaque).convert("RGB")))


def test_palette_with_alpha_mode():
    image = Image.fromarray(hostile.RGBA).convert("LA").convert("PA")
    expect = hostile.on_white(np.array(image.convert("RGBA")))
    assert np.array_equal(pixels(to_tensor(image)), expect)


def test_errors_name_the_pil_image(cases):
    with pytest.raises(ImageError, match=r"^PIL image: has no pixels, 0×5"):
        to_tensor(Image.new("RGB", (0, 5)))
    with pytest.raises(ImageError, match=r"^PIL image: 3×3 = 9e-06 megapixels is over the limit"):
        to_tensor(Image.new("RGB", (3, 3)), max_pixels=8)
    path = cases["cut50_png"].path
    with Image.open(path) as image, pytest.raises(ImageError, match=hostile.CUT) as caught:
        to_tensor(image)
    assert str(caught.value).startswith(str(path))
    image = Image.open(cases["jpeg"].path)
    image.close()
    with pytest.raises(ImageError, match="cut off or damaged"):
        to_tensor(image)


def test_every_container_gives_the_same():
    array = hostile.RGB
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
    "array", [hostile.RGB, hostile.DEEP_RGB, hostile.RGB / 255], ids=["uint8", "uint16", "float"]
)
def test_any_memory_order(turn, array):
    turned = turn(array)
    assert torch.equal(to_tensor(turned), to_tensor(np.array(turned, order="C")))


def test_arrays_that_cannot_be_written_give_no_warning():
    array = hostile.RGB.copy()
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


@pytest.mark.parametrize("name", ARRAYS)
def test_bad_arrays(name):
    array, message = ARRAYS[name]
    with pytest.raises(ImageError, match=r"^array: .*" + message):
        to_tensor(array)


@pytest.mark.parametrize("name", TENSORS)
def test_bad_tensors(name):
    tensor, message = TENSORS[name]
    with pytest.raises(ImageError, match=r"^tensor: .*" + message):
        to_tensor(tensor)


@pytest.mark.parametrize("thing", [b"a.png", None, 3, [[0.5]], {"a": 1}])
def test_other_types(thing):
    with pytest.raises(ImageError, match=f"an ndarray or a tensor, got {type(thing).__name__}"):
        to_tensor(thing)


def test_image_error_is_an_error_of_the_package():
    assert issubclass(ImageError, SriqaError)
    assert issubclass(ImageError, ValueError)
