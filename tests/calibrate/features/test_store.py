"""Cached codes: computed once, whatever kills the process that computes them."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from sriqa_metric.calibrate.features import shards
from sriqa_metric.calibrate.features import store as feature_store
from sriqa_metric.calibrate.features.store import FeatureStore
from sriqa_metric.crops import READING_VERSION, CropPolicy
from sriqa_metric.errors import SriqaError
from tests.calibrate.tiny import SIZE, WIDTH, make_images, shard_files, tiny_metric


@pytest.mark.answers(
    "Training runs", "the same image twice, under two names", "its codes are computed once"
)
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


@pytest.mark.answers(
    "Training runs", "an image that was changed since its codes were cached", "is computed again"
)
def test_a_changed_image_is_computed_again(images, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric())
    before = store.codes(images)
    shutil.copy(images[3], images[4])
    after = store.codes(images)
    assert torch.equal(after[4], before[3])
    with images[4].open("ab") as stream:
        stream.write(b"x")
    assert store.fill(images) == 1


@pytest.mark.answers(
    "Training runs",
    "cached codes of a version that read images in another way",
    "are not used; the codes are computed anew",
)
def test_codes_of_another_way_of_reading_are_not_used(images, tmp_path, monkeypatch):
    assert FeatureStore(tmp_path, tiny_metric()).fill(images) == 12
    monkeypatch.setattr(feature_store, "READING_VERSION", READING_VERSION + 1)
    assert FeatureStore(tmp_path, tiny_metric()).fill(images) == 12


@pytest.mark.answers(
    "Training runs",
    "an image that changes while codes are computed",
    "error with its name; what was done is kept",
)
def test_an_image_that_changes_meanwhile_is_told(images, tmp_path, monkeypatch):
    def swap(items, description, *shown):
        if description == "features":
            shutil.copy(images[0], images[11])
        yield from items

    store = FeatureStore(tmp_path / "store", tiny_metric())
    with monkeypatch.context() as patch:
        patch.setattr(feature_store, "tracked", swap)
        with pytest.raises(SriqaError, match=r"011.png: was changed meanwhile; run this again"):
            store.fill(images)
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


@pytest.mark.answers(
    "Training runs", "an id of weights that looks like a path", "the cache stays in its folder"
)
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


@pytest.mark.answers(
    "Training runs",
    "an image that cannot be read, among those to cache",
    "error with its name; what was done is kept",
)
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


@pytest.mark.answers(
    "Training runs", "codes that are NaN or infinite", "error with the image's name"
)
def test_codes_that_are_not_finite_name_the_image(images, tmp_path, small_shards):
    metric = tiny_metric()
    metric.quality_model.encode = lambda crops: 1 / crops.flatten(1).amax(1, keepdim=True)
    store = FeatureStore(tmp_path / "store", metric)
    Image.new("RGB", (40, 40)).save(images[6])
    with pytest.raises(SriqaError, match=r"006.png: its codes are NaN or infinite; leave"):
        store.fill(images)
    assert store.fill(images[:6]) == 2  # the first shard of four is kept


@pytest.mark.answers(
    "Training runs",
    "caching codes, where memory does not suffice for a batch of crops",
    "half as many at once from then on; one line on stderr says so",
)
def test_out_of_gpu_memory_halves_the_batch(images, tmp_path, caplog):
    metric = tiny_metric()
    store = FeatureStore(tmp_path / "store", metric, batch_size=64)
    encode = metric.quality_model.encode

    def small_gpu(crops):
        if len(crops) > 32:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return encode(crops)

    metric.quality_model.encode = small_gpu
    assert store.fill(images) == 12
    assert metric.quality_model.calls[1:-1] == [32] * (len(metric.quality_model.calls) - 2)
    assert caplog.messages == ["not enough memory for 64 crops at once: now 32 are"]
    whole = FeatureStore(tmp_path / "whole", tiny_metric(), batch_size=64)
    torch.testing.assert_close(store.codes(images)[:], whole.codes(images)[:], atol=1e-5, rtol=0)


def test_out_of_gpu_memory_for_images_says_what_to_lower(images, tmp_path, monkeypatch):
    store = FeatureStore(tmp_path / "store", tiny_metric(), batch_size=64)
    store.fill(images[:1])

    def cut(draws, image, sha256):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(feature_store.Draws, "cut", cut)
    with pytest.raises(SriqaError, match=r"features` to 32 .it is 64"):
        store.fill(images)


@pytest.mark.answers(
    "Training runs",
    "two processes that fill one cache of codes",
    "the second is refused; it can read",
)
def test_a_second_process_is_refused_but_can_read(images, tmp_path, small_shards, monkeypatch):
    store, other = (FeatureStore(tmp_path / "store", tiny_metric()) for _ in range(2))
    store.fill(images[:2])
    refused = []

    def meddle(items, description, *shown):
        for item in items:
            if description == "features":
                with pytest.raises(SriqaError, match="another process is filling this store") as e:
                    other.fill(images)
                refused.append(str(e.value))
                assert len(other.codes(images[:2])) == 2
            yield item

    with monkeypatch.context() as patch:
        patch.setattr(shards, "_PATIENCE", 0)
        patch.setattr(feature_store, "tracked", meddle)
        assert store.fill(images) == 10
    assert len(refused) == 10
    assert not any("\n" in line for line in refused)
    assert other.fill(images) == 0


@pytest.mark.answers(
    "Training runs",
    "a disk too full for the cache of codes",
    "error with the bytes needed; the same command goes on later",
)
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
    assert sorted(path.suffix for path in store.folder.iterdir() if path.suffix != ".lock") == [
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


_KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)  # threads of OpenMP would not survive the fork
from sriqa_metric.calibrate.features import store as feature_store
from tests.calibrate import tiny
feature_store._SHARD = 4
fsync = os.fsync
os.fsync = lambda file: (time.sleep(0.005), fsync(file))  # so that some kills come before it

def fill(place):
    store = feature_store.FeatureStore(Path(place), tiny.tiny_metric(company=0.01), draws=2)
    store.fill(sorted(Path(sys.argv[1]).iterdir()))
    return store

start = time.monotonic()
whole = fill("whole")
seconds = time.monotonic() - start
shards = tiny.shard_files(whole)
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


@pytest.mark.answers(
    "Training runs",
    "a kill at any moment of caching codes",
    "the same command goes on, to the same bits",
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_at_any_moment_change_no_bit(tmp_path):
    make_images(tmp_path / "images", 60)
    root = Path(__file__).parents[3]
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
