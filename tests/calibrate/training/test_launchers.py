"""What a launcher says in the environment, whole or half."""

import pytest
import torch

from sriqa_metric.calibrate.features.processes import first_process
from sriqa_metric.calibrate.training.crop_batches import Sources
from sriqa_metric.calibrate.training.label_training import train_on_labels
from sriqa_metric.errors import SriqaError
from tests.calibrate.planted import SMALL, tiny

answers = pytest.mark.answers
RUNS = "Training runs"


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("rank", "size", "first"), [(None, None, True), ("0", "2", True), ("1", "2", False)]
)
def test_whole(rank, size, first, monkeypatch):
    for name, value in (("RANK", rank), ("WORLD_SIZE", size)):
        if value:
            monkeypatch.setenv(name, value)
    assert first_process() == first


@answers(RUNS, "RANK without WORLD_SIZE, or the other way round", "error that quotes both")
@answers(RUNS, "RANK beyond WORLD_SIZE, or no number", "error that quotes both")
@pytest.mark.parametrize(
    ("rank", "size", "told"),
    [
        ("1", None, "RANK=1, no WORLD_SIZE"),
        (None, "2", "no RANK, WORLD_SIZE=2"),
        ("2", "2", "RANK=2, WORLD_SIZE=2"),
        ("-1", "2", "RANK=-1"),
        ("0", "0", "WORLD_SIZE=0"),
        ("one", "2", "RANK=one"),
    ],
)
def test_half(rank, size, told, monkeypatch, sets, validation, folder):
    for name, value in (("RANK", rank), ("WORLD_SIZE", size)):
        if value:
            monkeypatch.setenv(name, value)
    with pytest.raises(SriqaError, match=told):
        first_process()
    sources = Sources(tuple(sets))
    with pytest.raises(SriqaError, match="accelerate launch"):
        train_on_labels(tiny(), sources, validation, SMALL, 0, folder, torch.device("cpu"))


@answers(RUNS, "RANK and WORLD_SIZE set by hand", "error: start it with accelerate launch")
def test_processes_that_do_not_find_each_other(monkeypatch, sets, validation, folder):
    pytest.importorskip("accelerate")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    sources = Sources(tuple(sets))
    with pytest.raises(SriqaError, match=r"processes.*start it with accelerate launch"):
        train_on_labels(tiny(), sources, validation, SMALL, 0, folder, torch.device("cpu"))
