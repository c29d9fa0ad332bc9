"""One store that several processes fill."""

import os
import signal
import sys

import pytest
import torch

from sriqa_metric.calibrate.features import shards
from sriqa_metric.calibrate.features import store as feature_store
from sriqa_metric.calibrate.features.processes import launched, own_device, require_alone
from sriqa_metric.calibrate.features.store import FeatureStore
from sriqa_metric.errors import SriqaError
from tests.calibrate.processes import together
from tests.calibrate.tiny import make_images, shard_files, tiny_metric

answers = pytest.mark.answers
RUNS = "Training runs"


@pytest.fixture
def whole(images, tmp_path, small_shards):
    """The store that a single process makes of twelve images, in shards of four."""
    store = FeatureStore(tmp_path / "whole", tiny_metric(company=0.01))
    store.fill(images)
    return shard_files(store)


@answers(
    RUNS,
    "a cache of codes filled by several processes, on one machine or many",
    "each computes its part; the files are those of one process, to the bit",
)
@pytest.mark.parametrize("number", [2, 3, 5])
def test_each_process_computes_its_part(number, images, whole, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric(company=0.01))
    names = [*images, images[5]]
    computed = [store.fill(names, process, number) for process in range(number)]
    assert computed == {2: [8, 4], 3: [4, 4, 4], 5: [4, 4, 4, 0, 0]}[number]
    assert shard_files(store) == whole
    assert [store.fill(names, process, number) for process in range(number)] == [0] * number


def test_what_some_have_not_done_is_done_by_another_number(images, whole, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric(company=0.01))
    assert store.fill(images, 1, 3) == 4
    assert [store.fill(images, process, 2) for process in (0, 1)] == [8, 0]
    assert shard_files(store) == whole


@answers(
    RUNS,
    "a cache of codes filled twice at once, or by processes that divide it otherwise",
    "the later are refused; they can read",
)
def test_processes_that_would_compute_the_same_are_refused(images, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_PATIENCE", 0)
    store, other = (FeatureStore(tmp_path / "store", tiny_metric()) for _ in range(2))
    with store._shards.filling(0, 2):
        for part in ((0, 2), (0, 1), (0, 3)):
            with pytest.raises(SriqaError, match="another process is filling this store; wait"):
                other.fill(images, *part)
    assert other.fill(images, 0, 3) == 12


def test_what_others_are_writing_is_left_alone(images, small_shards, tmp_path):
    store, other = (FeatureStore(tmp_path / "store", tiny_metric()) for _ in range(2))
    with store._shards.filling(0, 2):
        partial = store.folder / ".0.safetensors.0.partial"
        partial.touch()
        assert other.fill(images, 1, 2) == 4
        assert partial.exists()
    assert other.fill(images, 0, 2) == 8
    assert not partial.exists()


def filled(root, victim):
    """Fill a part; one of the processes is killed while it writes its second shard."""
    feature_store._SHARD = 4
    fsync, calls = os.fsync, []

    def last(file):
        calls.append(file)
        if len(calls) == 2 and launched()[0] == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(file)

    os.fsync = last
    store = FeatureStore(root / "store", tiny_metric(company=0.01))
    store.fill(sorted((root / "images").iterdir()), *launched())


@pytest.mark.slow
@answers(
    RUNS,
    "one of several processes that cache codes is killed",
    "the others finish their parts; the next run, of any number, computes what is missing",
)
@pytest.mark.skipif(sys.platform == "win32", reason="no fork server")
def test_a_part_that_was_killed_is_done_by_the_next_run(tmp_path, small_shards):
    images = make_images(tmp_path / "images", 40)
    whole = FeatureStore(tmp_path / "whole", tiny_metric(company=0.01))
    whole.fill(images)
    assert together(3, filled, tmp_path, 1) == [0, -signal.SIGKILL, 0]
    store = FeatureStore(tmp_path / "store", tiny_metric(company=0.01))
    assert len(list(store.folder.glob("*.safetensors"))) == 10 - 2
    assert together(2, filled, tmp_path, None) == [0, 0]
    assert shard_files(store) == shard_files(whole)
    assert not list(store.folder.glob(".*.partial"))


def test_a_process_has_a_gpu_of_its_own(monkeypatch):
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert own_device(cuda) == cuda
    monkeypatch.setenv("LOCAL_RANK", "5")
    assert own_device(cuda) == torch.device("cuda:1")
    assert own_device(torch.device("cuda:0")) == torch.device("cuda:0")
    assert own_device(cpu) == cpu


@answers(RUNS, "`train` under a launcher", "error: stage 2 takes one process")
def test_what_takes_one_process_says_so(monkeypatch):
    require_alone("stage 2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SriqaError, match="stage 2 is trained by one process, and this is one of 2"):
        require_alone("stage 2")
