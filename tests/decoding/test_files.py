"""Every odd and hostile file gives its pixels, or one clear error."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from sriqa_metric.decoding import completeness, files
from sriqa_metric.errors import ImageError
from sriqa_metric.images import MAX_PIXELS, read_image, to_tensor
from tests.hostile import CASES, READABLE, check, encoders, path_of, pixels


@pytest.mark.parametrize("name", [pytest.param(c.name, marks=c.row) for c in CASES.values()])
def test_file(name):
    if name == "forbidden" and os.access(path_of(name), os.R_OK):
        pytest.skip("an administrator reads it all the same")
    with warnings.catch_warnings():
        # Nothing that decides may come as a warning; damaged EXIF may.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", message="Corrupt EXIF|Truncated File Read")
        check(name)


@pytest.mark.answers(
    "Image files",
    "a file that is cut off, where ImageFile.LOAD_TRUNCATED_IMAGES is set",
    "an error all the same",
)
def test_cut_files_are_errors_even_where_pillow_is_told_to_load_them(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    chosen = [case.name for case in CASES.values() if not case.ok and case.name != "forbidden"]
    assert len(chosen) >= 100
    for name in chosen:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(name)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_good_files_read_the_same_where_pillow_is_told_to_load_cut_ones(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in READABLE:
            check(name)


@pytest.mark.answers(
    "Image files",
    "an image above Image.MAX_IMAGE_PIXELS",
    "read without a warning; max_pixels decides",
)
def test_limit_of_pillow_does_not_decide(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for name in ("png", "jpeg", "bmp", "tiff", "tiff_lzw", "rgb16_tiff", "ppm", "palette"):
            check(name)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_where_pillow_refuses_the_error_says_so(monkeypatch):
    def refuse(*_: object) -> Image.Image:
        raise Image.DecompressionBombError("Image size (190000000 pixels) exceeds limit")

    Image.init()
    monkeypatch.setitem(Image.OPEN, "PNG", (refuse, Image.OPEN["PNG"][1]))
    with pytest.raises(ImageError, match=r"Pillow refuses it .*190000000.*MAX_IMAGE_PIXELS"):
        read_image(path_of("png"))


def test_between_the_limits_of_pillow_and_ours(tmp_path):
    # 187.5 megapixels: Image.open raises here; the policy goes on, and misses the pixels.
    path = tmp_path / "a.png"
    path.write_bytes(encoders.png(15000, 12500, 1, 0, b"\0"))
    with pytest.raises(ImageError, match="cut off or damaged"):
        read_image(path)
    with pytest.raises(
        ImageError, match=r"15000×12500 = 187.5 megapixels is over the limit of 100"
    ):
        read_image(path, max_pixels=100_000_000)


def test_max_pixels_is_inclusive():
    path = path_of("png")
    assert read_image(path, max_pixels=48 * 64).shape == (3, 48, 64)
    with pytest.raises(
        ImageError, match=r"64×48 = 0\.003072 megapixels is over the limit of 0.003"
    ):
        read_image(path, max_pixels=48 * 64 - 1)
    assert MAX_PIXELS == 200_000_000


@pytest.mark.answers(
    "Image files",
    "an EPS drawing where Ghostscript is installed",
    "error; no program is started",
)
def test_ghostscript_is_never_asked(monkeypatch):
    import subprocess

    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    check("eps")
    check("eps_as_png")


@pytest.mark.answers(
    "Image files",
    "decoding in several threads",
    "each gives its own pixels or error; no global state of Pillow changes",
)
def test_global_state_is_left_alone_and_threads_do_not_mix():
    state = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    left_out = ("exif_damaged", "forbidden")
    chosen = [c.name for c in CASES.values() if not c.big and c.name not in left_out]
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for name in chosen[start:] + chosen[:start]:
                check(name)
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


def test_large_images_are_read_without_any_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(path_of("large"))
    assert image.shape == (3, 9000, 12000)
    assert image.dtype == torch.uint8
    assert image.storage_offset() == 0
    assert image.untyped_storage().nbytes() == 9000 * 12000  # one channel, seen three times
    assert (image[:, ::1000, ::1000] == 255).all()


def test_pixels_lie_as_decoded():
    image = read_image(path_of("png"))
    assert image.stride() == (1, 3 * 64, 3)


@pytest.mark.answers(
    "Image files", "a URL: https://, s3://", "error: URLs are not read; download the file first"
)
@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.png",
        "https://example.org/a.png?" + "signature" * 500,
        "s3://bucket/a.png",
        "file:///a.png",
        Path("https://example.org/a.png"),
    ],
)
def test_urls(url):
    with pytest.raises(ImageError, match=r"URLs are not read; download the file first$") as caught:
        read_image(url)
    assert str(caught.value).startswith(f"{url}: ")


@pytest.mark.answers(
    "Image files", "a HEIC or JPEG XL, where Pillow has a plug-in for it", "read through it"
)
@pytest.mark.parametrize(
    ("case", "kind"), [("heic", "HEIF"), ("heic_mif1", "HEIF"), ("jxl", "JXL")]
)
def test_plugins_of_the_user_are_asked(case, kind, monkeypatch):
    def factory(file, name):
        while file.read(1000):
            pass  # to the end and on, as some do
        return Image.fromarray(encoders.RGB)

    monkeypatch.setitem(Image.OPEN, kind, (factory, None))
    assert np.array_equal(pixels(read_image(path_of(case))), encoders.RGB)

    def damaged(file, name):
        raise ValueError("no such\nbox\n")

    monkeypatch.setitem(Image.OPEN, kind, (damaged, None))
    with pytest.raises(ImageError, match=r"is cut off or damaged .*no such box"):
        read_image(path_of(case))


@pytest.mark.parametrize("name", ["planar16", "float_white_zero", "signed8"])
def test_what_pillow_reads_wrongly_is_refused_as_a_pil_image_too(name):
    with Image.open(path_of(name)) as image:
        for _ in range(2):
            with pytest.raises(ImageError, match=CASES[name].error):
                to_tensor(image)
            image.load()


@pytest.mark.answers(
    "Work and memory",
    "a healthy PNG, baseline JPEG, WebP, AVIF",
    "decoded once; only what is in doubt is decoded again",
)
def test_healthy_files_are_decoded_once(monkeypatch):
    def never(*_: object) -> bool:
        raise AssertionError("decoded twice")

    monkeypatch.setattr(completeness, "_changes", never)
    for name in ("png", "jpeg", "jpeg_restarts", "webp", "avif", "jpeg2000", "gif", "tiff"):
        if name in CASES:
            check(name)


def test_too_little_memory_is_not_taken_for_missing_rows(monkeypatch):
    def fails(*_: object) -> np.ndarray:
        raise MemoryError

    monkeypatch.setattr(files, "check_rows", fails)
    with pytest.raises(ImageError, match="not enough memory to decode it; score a part of it"):
        read_image(path_of("png"))
    with pytest.raises(MemoryError):
        completeness._changes(b"", encoders.RGB, fails)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4]), st.randoms())
def test_what_is_saved_as_png_is_read_back(tmp_path, height, width, channels, random):
    shape = (height, width) if channels == 1 else (height, width, channels)
    array = np.frombuffer(random.randbytes(int(np.prod(shape))), np.uint8).reshape(shape)
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    expect = {1: encoders.rgb, 3: np.asarray, 4: encoders.on_white}[channels](array)
    assert np.array_equal(pixels(read_image(path)), expect)
    assert np.array_equal(pixels(to_tensor(array)), expect)


@pytest.mark.answers(
    "Image files",
    "a file with some bytes changed at random",
    "pixels, or one error that names the file",
)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_gives_pixels_or_an_image_error(data):
    names = ["png", "jpeg", "gif", "bmp", "tiff_lzw", "rgb16", "turn_jpeg", "palette_levels"]
    names += ["jpeg_progressive", "jpeg_restarts", "png_interlaced", "gray12", "rgb16_tiff", "ppm"]
    names += ["planar16", *(n for n in ("webp", "avif", "jpeg2000") if n in CASES)]
    file = bytearray(path_of(data.draw(st.sampled_from(names))).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        # Mostly near the beginning, where the structure is.
        where = data.draw(
            st.integers(0, min(len(file), data.draw(st.sampled_from([80, 1 << 20]))) - 1)
        )
        file[where] = data.draw(st.integers(0, 255))
    path = path_of("png").with_name("damaged")
    path.write_bytes(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = tuple(read_image(path, max_pixels=1_000_000).shape[:1])
        except ImageError as error:
            found = str(error)
    assert found == (3,) or found.startswith(f"{path}: ")
