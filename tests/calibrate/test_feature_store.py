"""Cached codes: the right values, computed once, whatever kills the process that computes them."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from sriqa_metric.calibrate import feature_shards, feature_store
from sriqa_metric.calibrate.feature_draws import batched_codes
from sriqa_metric.calibrate.feature_store import FeatureStore
from sriqa_metric.calibrate.features_cli import features
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.scoring import code_stream
from tests.random_weights import save_random

SIZE, WIDTH = 16, 5
POLICY = CropPolicy(size=SIZE, number=4, stride=8, wide_stride=12, wide=64)


class TinyModel(nn.Module):
    """A linear encoder; `company` adds what it gets of the other crops of a batch."""

    feature_dim = WIDTH
    crops_per_pass = 7

    def __init__(self, company: float = 0.0):
        super().__init__()
        self.company = company
        self.calls: list[int] = []
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(3 * SIZE * SIZE, WIDTH, generator=generator)
        self.weight = nn.Parameter(weight / 3 / SIZE**2)

    def encode(self, crops):
        self.calls.append(len(crops))
        codes = crops.flatten(1) @ self.weight
        return codes + self.company * codes.mean(0)

    def read(self, codes):
        return codes.sum(1), codes


def tiny_metric(company: float = 0.0, policy: CropPolicy = POLICY, weights_id: str = "sha256:1"):
    return CalibratedMetric("tiny", TinyModel(company), None, policy, weights_id)


def make_images(folder: Path, count: int) -> list[Path]:
    """Small pictures of many shapes, some with a side below the window."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for index in range(count):
        shape = (int(rng.integers(9, 70)), int(rng.integers(9, 70)), 3)
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images", 12)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(feature_store, "_SHARD", 4)


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


def shard_files(store):
    return {path.name: path.read_bytes() for path in store.folder.glob("*.safetensors")}


def test_codes_are_those_of_a_literal_loop(images, tmp_path):
    metric = tiny_metric()
    codes = FeatureStore(tmp_path / "store", metric, draws=3, crops=2, seed=7).codes(images)
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
    codes = FeatureStore(tmp_path / "store", tiny_metric()).codes(odd_images)
    tested = torch.stack(list(code_stream(tiny_metric(), odd_images, POLICY)))
    torch.testing.assert_close(codes[:, 0], tested, atol=1e-6, rtol=0)
    torch.testing.assert_close(codes[-3, 0], codes[-2, 0], atol=1e-6, rtol=0)


@pytest.mark.gpu
def test_codes_on_cuda_are_near_those_on_the_cpu(odd_images, tmp_path):
    near = FeatureStore(tmp_path / "cuda", tiny_metric().to("cuda"), batch_size=50)
    codes = near.codes(odd_images)
    assert codes.device.type == "cpu"
    expected = FeatureStore(tmp_path / "cpu", tiny_metric()).codes(odd_images)
    torch.testing.assert_close(codes, expected, atol=1e-4, rtol=0)


def test_codes_depend_on_nothing_but_image_and_seed(images, tmp_path):
    def codes(paths, place, batch_size=None, seed=0):
        store = FeatureStore(tmp_path / place, tiny_metric(), 2, 3, seed, batch_size)
        return store.codes(paths)

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


def test_nothing_is_computed_twice(images, tmp_path):
    metric = tiny_metric()
    store = FeatureStore(tmp_path / "store", metric)
    copy = tmp_path / "copy.png"
    shutil.copy(images[0], copy)
    assert store.fill([images[1], copy, images[0], images[1]]) == 2
    calls = len(metric.quality_model.calls)
    codes = store.codes([images[0], images[1], copy])
    assert len(metric.quality_model.calls) == calls
    assert torch.equal(codes[0], codes[2])
    assert not torch.equal(codes[0], codes[1])
    assert FeatureStore(tmp_path / "store", tiny_metric()).fill(images) == 10
    assert store.codes([]).shape == (0, 9, WIDTH)
    assert torch.equal(store.codes(images)[:2], codes[:2])


def test_a_changed_image_is_computed_again(images, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric())
    before = store.codes(images)
    shutil.copy(images[3], images[4])
    after = store.codes(images)
    assert torch.equal(after[4], before[3])
    with images[4].open("ab") as stream:
        stream.write(b"x")
    assert store.fill(images) == 1


def test_an_image_that_changes_meanwhile_is_told(images, tmp_path):
    def swap(items, description, total):
        if description == "features":
            shutil.copy(images[0], images[11])
        yield from items

    store = FeatureStore(tmp_path / "store", tiny_metric())
    with pytest.raises(SriqaError, match=r"011.png: was changed meanwhile; run this again"):
        store.fill(images, swap)
    assert store.fill(images) == 0  # the other eleven are kept, and the twelfth is the first


@pytest.mark.parametrize(
    "change",
    [
        {"draws": 2},
        {"crops": 2},
        {"seed": 1},
        {"metric": tiny_metric(weights_id="sha256:2")},
        {"metric": tiny_metric(policy=CropPolicy(SIZE, 3, 8, 12, 64))},
    ],
)
def test_other_settings_are_another_store(change, images, tmp_path):
    given = {"metric": tiny_metric(), "draws": 1}
    one = FeatureStore(tmp_path, **given)
    other = FeatureStore(tmp_path, **given | change)
    assert one.folder != other.folder
    assert one.folder.name.startswith("sha256-1-")
    one.fill(images[:1])
    assert other.fill(images[:1]) == 1


def test_hostile_weights_ids_stay_in_the_folder(images, tmp_path):
    for weights_id in ("../../up", "a/b", "C:\\x", "ä" * 300, "..", ""):
        store = FeatureStore(tmp_path / "store", tiny_metric(weights_id=weights_id))
        assert store.folder.parent == tmp_path / "store"
        store.fill(images[:1])


def test_settings_out_of_range(tmp_path):
    for name, value, least in (("draws", -1, 0), ("crops", 0, 1), ("seed", -1, 0)):
        with pytest.raises(SriqaError, match=f"{name} is {value}; it must be {least} or more"):
            FeatureStore(tmp_path, tiny_metric(), **{name: value})
    with pytest.raises(SriqaError, match="those of this tiny are unsaved; save them"):
        FeatureStore(tmp_path, tiny_metric(weights_id="unsaved"))


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


def test_images_that_cannot_be_read(images, tmp_path, small_shards):
    store = FeatureStore(tmp_path / "store", tiny_metric())
    with pytest.raises(SriqaError, match=r"none.png: cannot be read: No such file"):
        store.fill([*images, tmp_path / "none.png"])
    assert not store.folder.exists()
    whole = images[6].read_bytes()
    images[6].write_bytes(whole[:100])
    with pytest.raises(SriqaError, match=r"006.png: is cut off or damaged"):
        store.fill(images)
    images[6].write_bytes(whole)
    assert store.fill(images) == 6  # of twelve, those before it are kept
    first = FeatureStore(tmp_path / "first", tiny_metric())
    images[0].write_bytes(whole[:100])
    with pytest.raises(SriqaError, match=r"000.png: is cut off"):
        first.fill(images)


def test_codes_that_are_not_finite_name_the_image(images, tmp_path, small_shards):
    metric = tiny_metric()
    metric.quality_model.encode = lambda crops: 1 / crops.flatten(1).amax(1, keepdim=True)
    store = FeatureStore(tmp_path / "store", metric)
    Image.new("RGB", (40, 40)).save(images[6])
    with pytest.raises(SriqaError, match=r"006.png: its codes are NaN or infinite; leave"):
        store.fill(images)
    assert store.fill(images[:6]) == 2  # the first shard of four is kept


def test_out_of_gpu_memory_says_what_to_lower(images, tmp_path):
    metric = tiny_metric()
    store = FeatureStore(tmp_path / "store", metric, batch_size=64)
    encode = metric.quality_model.encode

    def small_gpu(crops):
        if len(crops) > 32:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return encode(crops)

    metric.quality_model.encode = small_gpu
    with pytest.raises(SriqaError, match=r"out of GPU memory; set batch_size to 32 "):
        store.fill(images)
    metric.quality_model.calls.clear()
    assert FeatureStore(tmp_path / "store", metric, batch_size=32).fill(images) == 12
    assert metric.quality_model.calls[1:-1] == [32] * (len(metric.quality_model.calls) - 2)


def test_a_second_process_is_refused_but_can_read(images, tmp_path, small_shards):
    store, other = (FeatureStore(tmp_path / "store", tiny_metric()) for _ in range(2))
    store.fill(images[:2])
    refused = []

    def meddle(items, description, total):
        for item in items:
            if description == "features":
                with pytest.raises(SriqaError, match="another process is filling this store") as e:
                    other.fill(images)
                refused.append(str(e.value))
                assert len(other.codes(images[:2])) == 2
            yield item

    assert store.fill(images, meddle) == 10
    assert len(refused) == 10
    assert not any("\n" in line for line in refused)
    assert other.fill(images) == 0


def test_a_full_disk_is_told_and_filled_later(images, tmp_path, small_shards, monkeypatch):
    store = FeatureStore(tmp_path / "store", tiny_metric())
    usage = shutil._ntuple_diskusage(10**6, 10**6 - 100, 100)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        needed = 12 * 9 * WIDTH * 4
        message = rf"disk full: 100 bytes are free, {needed} needed for the codes of 12 images"
        with pytest.raises(SriqaError, match=message):
            store.fill(images)
    calls = []

    def fsync(_):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        message = r"store/.*No space left on device; \d+ bytes are free, \d+ needed for the next 4"
        with pytest.raises(SriqaError, match=message):
            store.fill(images)
    assert sorted(path.suffix for path in store.folder.iterdir() if path.name != ".lock") == [
        ".safetensors"
    ]
    assert store.fill(images) == 8
    whole = FeatureStore(tmp_path / "whole", tiny_metric())
    whole.fill(images)
    assert shard_files(store) == shard_files(whole)


def test_a_folder_that_cannot_be_made(images, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SriqaError, match=r"file/.*: cannot be written: Not a directory"):
        FeatureStore(tmp_path / "file", tiny_metric()).fill(images)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (-1, "is damaged, its codes are not those"),
        (-4 * 9 * WIDTH, "is damaged, its codes are not those"),
        (b"sha256:1", "is no shard of this store"),
        (b"codes", ""),
        (7, "it claims a header of"),
    ],
)
def test_flipped_bits_are_refused(position, reason, images, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric())
    store.fill(images)
    shard = next(store.folder.glob("*.safetensors"))
    data = bytearray(shard.read_bytes())
    data[data.index(position) if isinstance(position, bytes) else position] ^= 1
    shard.write_bytes(data)
    with pytest.raises(SriqaError, match=rf"{shard.name}: .*{reason}.*delete it, and what it held"):
        store.codes(images)
    shard.unlink()
    assert store.fill(images) == 12


def test_every_truncation_is_refused(images, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric(), draws=1)
    store.fill(images[:3])
    shard = next(store.folder.glob("*.safetensors"))
    data = shard.read_bytes()
    for length in {*range(0, len(data), 7), len(data) - 1}:
        shard.write_bytes(data[:length])
        with pytest.raises(SriqaError, match="delete it, and what it held is computed anew"):
            store.codes(images[:3])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_harmless(tmp_path_factory, data):
    """Whatever one byte becomes: the same codes or an error, and never other codes."""
    root = tmp_path_factory.getbasetemp() / "damage"
    paths = make_images(root, 2) if not root.exists() else sorted(root.iterdir())
    store = FeatureStore(root.parent / "damage-store", tiny_metric(), draws=1)
    shutil.rmtree(store.folder, ignore_errors=True)
    codes = store.codes(paths)
    shard = next(store.folder.glob("*.safetensors"))
    content = bytearray(shard.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    shard.write_bytes(content)
    with contextlib.suppress(SriqaError):
        found = store.codes(paths)
        torch.testing.assert_close(found, codes, atol=1e-6, rtol=0)


def header_of(shard):
    length = struct.unpack("<Q", shard.read_bytes()[:8])[0]
    return json.loads(shard.read_bytes()[8 : 8 + length]), shard.read_bytes()[8 + length :]


@pytest.mark.parametrize(
    "hostile",
    [
        lambda header: header.pop("__metadata__"),
        lambda header: header["__metadata__"].update(features=""),
        lambda header: header["__metadata__"].update(features="\n" * 14),
        lambda header: header["__metadata__"].update(
            features=header["__metadata__"]["features"].rsplit("\n", 1)[0]
        ),
        lambda header: header["__metadata__"].update(
            features=header["__metadata__"]["features"][:-1] + "/"
        ),
        lambda header: header.update(codes=header["codes"] | {"shape": [12, 9 * WIDTH]}),
        lambda header: header.update(codes=header["codes"] | {"dtype": "I32"}),
        lambda header: header.update(codes=header["codes"] | {"shape": [2**40, 9, WIDTH]}),
        lambda header: header.update(codes=header["codes"] | {"data_offsets": [0, 2**60]}),
        lambda header: header.update(other=header.pop("codes")),
        lambda header: header.update({"__metadata__": "[" * 300_000}),
        lambda header: header.update({"__metadata__": "x" * 2_000_000}),
    ],
)
def test_hostile_headers_are_refused(hostile, images, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric())
    store.fill(images)
    shard = next(store.folder.glob("*.safetensors"))
    header, codes = header_of(shard)
    hostile(header)
    text = json.dumps(header).encode()
    shard.write_bytes(struct.pack("<Q", len(text)) + text + codes)
    with pytest.raises(SriqaError, match=re.escape(f"{shard}: ")) as error:
        store.codes(images)
    assert len(str(error.value)) < 2000


def test_a_shard_of_another_store_is_refused(images, tmp_path):
    one, other = (FeatureStore(tmp_path, tiny_metric(), draws=1, seed=seed) for seed in (0, 1))
    one.fill(images)
    other.folder.mkdir()
    shutil.copy(next(one.folder.glob("*.safetensors")), other.folder)
    with pytest.raises(SriqaError, match="is no shard of this store; delete it"):
        other.fill(images)


_KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)  # threads of OpenMP would not survive the fork
from tests.calibrate import test_feature_store as tests
tests.feature_store._SHARD = 4
fsync = os.fsync
os.fsync = lambda file: (time.sleep(0.005), fsync(file))  # so that some kills come before it

def fill(place):
    store = tests.FeatureStore(Path(place), tests.tiny_metric(company=0.01), draws=2)
    store.fill(sorted(Path(sys.argv[1]).iterdir()))
    return store

start = time.monotonic()
whole = fill("whole")
seconds = time.monotonic() - start
shards = tests.shard_files(whole)
killed = Path("killed") / whole.folder.name
random.seed(0)
kills, partial, states = 0, 0, set()
while True:
    child = os.fork()
    if child == 0:
        try:
            fill("killed")
            os._exit(0)
        finally:
            os._exit(1)
    # Later and later, so that it comes to an end on a busy machine too.
    time.sleep(random.uniform(0, seconds * (0.2 + kills / 50)))
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    found = {path.name: path.read_bytes() for path in killed.glob("*.safetensors")}
    assert found.items() <= shards.items(), "a shard that the uninterrupted run does not have"
    if not os.WIFSIGNALED(status):
        assert status == 0
        break
    kills += 1
    partial += any(killed.glob("*.partial"))
    states.add(len(found))
assert found == shards
assert {path.name for path in killed.iterdir()} == {path.name for path in whole.folder.iterdir()}
print(kills, partial, sorted(states))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_at_any_moment_change_no_bit(tmp_path):
    make_images(tmp_path / "images", 60)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "images")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 2


def run_cli(*arguments):
    app = typer.Typer()
    app.command()(features)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_fills_a_store(made_data, tmp_path):
    weights = save_random("sriqa_lite", tmp_path, CropPolicy(number=1))
    labels = [f"{index}.png,{index}" for index in range(6)]
    (made_data / "photos" / "labels.csv").write_text("\n".join(["path,mos", *labels, ""]))
    given = ["--base", weights, "--store", tmp_path / "store", "--draws", 1, "--crops", 1]
    sets = ["--sr", made_data / "sr", "--labelled", f"mos={made_data / 'photos'}"]
    first, second = run_cli(*given, *sets), run_cli(*given, *sets)
    assert first.exit_code == 0, first.output
    size = 24 * 2 * 1024 * 4
    found = re.search(r": 24 images, 24 new, [\d.]+ s, [\d.]+ images/s, (\d+) bytes", first.stdout)
    assert size < int(found[1]) < size + 10_000
    assert ": 24 images, 0 new, " in second.stdout
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    assert next((tmp_path / "store").iterdir()).name.startswith(f"sha256-{digest}-")


def test_the_command_takes_a_name(made_data, tmp_path):
    shutil.copy(made_data / "photos" / "0.png", tmp_path)
    (tmp_path / "labels.csv").write_text("path,mos\n0.png,1\n")
    done = run_cli(
        *("--base", "sriqa_lite", "--store", tmp_path / "store", "--labelled", f"mos={tmp_path}"),
        *("--draws", 2, "--batch-size", 2),
    )
    assert done.exit_code == 0, done.output
    assert "1 images, 1 new" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --sr or --labelled"),
        (["--labelled", "mos"], "--labelled: 'mos' is not KIND=DIR"),
        (["--labelled", "nothing=here"], "unknown kind of labelled set 'nothing'"),
        (["--sr", "nowhere"], r"nowhere.*ranking.csv: No such file"),
        (["--draws", "-1"], "draws"),
    ],
)
def test_what_the_command_cannot_use_is_told(arguments, message, tmp_path):
    done = run_cli("--base", "sriqa_lite", "--store", tmp_path, *arguments)
    assert done.exit_code != 0
    told = str(done.exception) if isinstance(done.exception, SriqaError) else done.output
    assert re.search(message, told)


def test_a_header_of_a_full_shard_is_within_the_limit():
    assert feature_store._SHARD * 65 < feature_shards._MAX_HEADER / 10
