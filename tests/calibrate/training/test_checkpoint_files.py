"""A checkpoint is what was written, to the last bit, or an error."""

import random

import pytest
import torch

from sriqa_metric.calibrate.training.checkpoint_files import resumable, write_checkpoint
from sriqa_metric.errors import SriqaError

answers = pytest.mark.answers
RUNS = "Training runs"
STATE = {"weight": torch.arange(300.0), "best": 0.25, "names": ["a", "b"]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "labels.checkpoint"
    write_checkpoint(path, 7, STATE)
    return path


def test_what_is_written_is_read_here_and_by_torch(path):
    step, state = resumable(path)
    assert (step, state["best"], state["names"]) == (7, 0.25, ["a", "b"])
    assert torch.equal(state["weight"], STATE["weight"])
    assert torch.load(path, weights_only=True)["step"] == 7
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@answers(RUNS, "one bit of a checkpoint flipped", "error: delete it, the stage starts anew")
def test_any_flipped_bit_is_seen(path):
    data, chance = path.read_bytes(), random.Random(0)
    for place in [0, len(data) - 1, *(chance.randrange(len(data)) for _ in range(300))]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(SriqaError, match=f"{path}: is damaged.*delete it, and the stage 'lab"):
            resumable(path)
    path.write_bytes(data)
    assert resumable(path)[0] == 7


@answers(RUNS, "a checkpoint that is empty, cut short or text", "error that names it, delete it")
@pytest.mark.parametrize("change", [lambda d: b"", lambda d: d[:-1], lambda d: d[:66], bytes.upper])
def test_what_is_no_checkpoint(path, change):
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(SriqaError, match="is damaged"):
        resumable(path)


def test_a_folder_in_its_place(tmp_path):
    with pytest.raises(SriqaError, match="Is a directory"):
        resumable(tmp_path)
