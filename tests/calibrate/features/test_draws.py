"""Codes of test crops and of random windows, against literal loops."""

import hashlib
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from sriqa_metric.calibrate.features.draws import batched_codes
from sriqa_metric.calibrate.features.store import FeatureStore
from sriqa_metric.scoring import code_stream
from tests.calibrate.tiny import POLICY, SIZE, WIDTH, tiny_metric


def literal_draw(metric, path, seed, draw, crops):
    """A draw as the documentation says it, with nothing of the package but the encoder."""
    image = torch.from_numpy(np.asarray(Image.open(path)) / np.float64(255)).permute(2, 0, 1)
    height, width = image.shape[1:]
    if min(height, width) < SIZE:
        scale = SIZE / min(height, width)
        target = (max(SIZE, round(height * scale)), max(SIZE, round(width * scale)))
        image = nn.functional.interpolate(image[None], size=target, mode="bicubic")[0].clamp(0, 1)
        height, width = target
    sha256 = int.from_bytes(hashlib.sha256(path.read_bytes()).digest(), "big")
    rng = np.random.default_rng([seed, draw, sha256])
    codes = []
    for _ in range(crops):
        top, left = rng.integers(0, height - SIZE, endpoint=True), rng.integers(width - SIZE + 1)
        window = image[:, top : top + SIZE, left : left + SIZE]
        if rng.random() < 0.5:
            window = torch.from_numpy(window.numpy()[:, :, ::-1].copy())
        codes.append(metric.encode(window.float()[None])[0].double())
    return (sum(codes) / crops).float()


def test_codes_are_those_of_a_literal_loop(images, tmp_path):
    metric = tiny_metric()
    codes = FeatureStore(tmp_path / "store", metric, draws=3, crops=2, seed=7).codes(images)[:]
    assert codes.shape == (12, 4, WIDTH)
    assert codes.dtype == torch.float32
    tested = torch.stack(list(code_stream(metric, images, POLICY)))
    torch.testing.assert_close(codes[:, 0], tested, atol=1e-6, rtol=0)
    for row, path in zip(codes, images, strict=True):
        drawn = torch.stack([literal_draw(metric, path, 7, draw, 2) for draw in (1, 2, 3)])
        torch.testing.assert_close(row[1:], drawn, atol=1e-6, rtol=0)
        assert len({tuple(draw.tolist()) for draw in drawn}) == 3


def test_test_crops_alone_and_a_big_image(tmp_path, lite, picture):
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / "a.png")
    codes = FeatureStore(tmp_path / "store", lite, draws=0).codes([tmp_path / "a.png"])
    assert codes.shape == (1, 1, 1024)
    score = lite.read(codes[:, 0]).item()
    assert score == pytest.approx(lite.score(tmp_path / "a.png"), abs=1e-5)


@pytest.fixture
def odd_images(tmp_path, images):
    """Gray, 16-bit and transparent ones after the RGB ones."""
    rng = np.random.default_rng(1)
    gray = rng.integers(0, 256, (40, 30), dtype=np.uint8)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(gray.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(np.dstack([gray] * 4)).save(tmp_path / "clear.png")
    return [*images, *(tmp_path / f"{name}.png" for name in ("gray", "deep", "clear"))]


def test_images_of_all_kinds(odd_images, tmp_path):
    codes = FeatureStore(tmp_path / "store", tiny_metric()).codes(odd_images)[:]
    tested = torch.stack(list(code_stream(tiny_metric(), odd_images, POLICY)))
    torch.testing.assert_close(codes[:, 0], tested, atol=1e-6, rtol=0)
    torch.testing.assert_close(codes[-3, 0], codes[-2, 0], atol=1e-6, rtol=0)


@pytest.mark.gpu
def test_codes_on_cuda_are_near_those_on_the_cpu(odd_images, tmp_path):
    near = FeatureStore(tmp_path / "cuda", tiny_metric().to("cuda"), batch_size=50)
    codes = near.codes(odd_images)[:]
    assert codes.device.type == "cpu"
    expected = FeatureStore(tmp_path / "cpu", tiny_metric()).codes(odd_images)[:]
    torch.testing.assert_close(codes, expected, atol=1e-4, rtol=0)


def test_codes_depend_on_nothing_but_image_and_seed(images, tmp_path):
    def codes(paths, place, batch_size=None, seed=0):
        store = FeatureStore(tmp_path / place, tiny_metric(), 2, 3, seed, batch_size)
        return store.codes(paths)[:]

    every = codes(images, "a")
    torch.testing.assert_close(codes(images, "b"), every, atol=0, rtol=0)
    others = codes(images[::-1], "c", batch_size=3).flip(0)
    torch.testing.assert_close(others, every, atol=1e-5, rtol=0)
    torch.testing.assert_close(codes(images[5:6], "d")[0], every[5], atol=1e-5, rtol=0)
    renamed = tmp_path / "elsewhere.png"
    shutil.copy(images[5], renamed)
    torch.testing.assert_close(codes([renamed], "e")[0], every[5], atol=1e-5, rtol=0)
    reseeded = codes(images, "f", seed=1)
    torch.testing.assert_close(reseeded[:, 0], every[:, 0], atol=0, rtol=0)
    assert (reseeded[:, 1:] - every[:, 1:]).abs().amax((1, 2)).min() > 1e-4


def test_windows_lie_anywhere_and_half_are_mirrored(tmp_path):
    """An encoder that reads the first row of a window: where it lies, and which way round."""
    across = np.broadcast_to(np.arange(64, dtype=np.uint8), (64, 64))
    Image.fromarray(np.stack([across, across.T, across], 2)).save(tmp_path / "a.png")
    metric = tiny_metric()
    metric.quality_model.encode = lambda crops: torch.stack(
        [crops[:, 0, 0, 0] - crops[:, 0, 0, -1], crops[:, 0].amin((1, 2)), crops[:, 1, 0, 0]], 1
    )
    store = FeatureStore(tmp_path / "store", metric, draws=4000, crops=1)
    turned, left, top = (store.codes([tmp_path / "a.png"])[0, 1:] * 255).round().T
    assert 0.46 < (turned > 0).double().mean() < 0.54
    for corner in (left, top):
        counts = torch.bincount(corner.long(), minlength=49)
        assert len(counts) == 49  # 0 to 48 = 64 - 16, both ends reached
        assert counts.min() > 40
        assert counts.max() < 130


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 8))
def test_batches_are_full_and_codes_in_order(lengths, size):
    crops = torch.arange(float(sum(lengths))).view(-1, 1, 1, 1)
    batches = []

    def encode(batch):
        batches.append(len(batch))
        return batch.flatten(1) * 2

    parts = crops.split(lengths) if lengths else []
    codes = list(batched_codes(encode, parts, size))
    assert [len(part) for part in codes] == lengths
    if lengths:
        assert torch.equal(torch.cat(codes), crops.flatten(1) * 2)
    assert all(batch == size for batch in batches[:-1])
    assert sum(batches) == sum(lengths)


def test_test_crops_are_not_read_where_only_draws_are_kept(odd_images, tmp_path):
    metric = tiny_metric()
    both = FeatureStore(tmp_path, tiny_metric(), draws=3, crops=2)
    drawn = FeatureStore(tmp_path, metric, draws=3, crops=2, tested=False)
    assert drawn.folder != both.folder
    codes = drawn.codes(odd_images)
    assert codes.shape == (len(odd_images), 3, WIDTH)
    torch.testing.assert_close(codes[:], both.codes(odd_images)[:, 1:], atol=1e-6, rtol=0)
    blank, *calls = metric.quality_model.calls
    assert blank == 1
    assert sum(calls) == 3 * 2 * len(odd_images)
