"""A weights file is read once, whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError, WeightsError
from sriqa_metric.weights.format import read_file, save_weights, weights_id
from tests.conftest import ROOT
from tests.random_weights import random_metric, save_random

answers = pytest.mark.answers
HUB = "Weights and the Hub"


def test_what_is_saved_is_read(tmp_path):
    metric = random_metric("sriqa_lite")
    path = tmp_path / "a.safetensors"
    save_weights(path, metric, {"training_data": "none"}, torch.float32)
    assert list(tmp_path.iterdir()) == [path]
    found = read_file(path)
    assert found.weights_id == weights_id(path)
    assert found.description["metric"] == "sriqa_lite"
    assert found.description["license"]
    for name, tensor in metric.state_dict().items():
        assert torch.equal(found.tensors[name], tensor)
    with pytest.raises(WeightsError, match=r"'sriqa_lite', not of 'sriqa_clip'"):
        read_file(path, "sriqa_clip")


@pytest.mark.answers("Outputs", "the mode of a weights file", "follows the umask")
@pytest.mark.answers(
    "Outputs", "a FIFO or a device as a weights file to write", "error: give the name of a file"
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_weights_file_is_as_any_file_and_replaces_no_other_thing(tmp_path):
    metric = random_metric("sriqa_lite")
    path = tmp_path / "a.safetensors"
    before = os.umask(0o022)
    try:
        save_weights(path, metric, {"training_data": "none"})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(SriqaError, match="fifo: is no regular file; give the name of a file"):
        save_weights(fifo, metric, {"training_data": "none"})
    assert fifo.is_fifo()


@pytest.mark.answers(
    "Outputs",
    "a full disk while weights are written",
    "error: cannot be written; nothing half there",
)
@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
def test_weights_without_room_are_told_and_nothing_is_left(tmp_path):
    code = """if True:
        import resource, sys; from pathlib import Path
        from sriqa_metric.weights.format import save_weights
        from tests.random_weights import random_metric
        metric = random_metric("sriqa_lite")
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        save_weights(Path(sys.argv[1]), metric, {"training_data": "none"})"""
    words = [sys.executable, "-c", code, tmp_path / "a"]
    found = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert re.search(r"Error: .*/a: cannot be written: .*too large", found.stderr.splitlines()[-1])
    assert list(tmp_path.iterdir()) == []


@answers(
    HUB,
    "a weight beyond float16",
    "error that names the tensor; nothing is written",
)
def test_values_beyond_float16_are_not_saved(tmp_path):
    metric = random_metric("sriqa_lite")
    with torch.no_grad():
        metric.quality_model.out.bias.fill_(1e6)
    path = tmp_path / "x.safetensors"
    with pytest.raises(WeightsError, match=r"quality_model\.out\.bias' does not fit float16"):
        save_weights(path, metric, {"training_data": "none"})
    assert not path.exists()


@answers(
    HUB,
    "a weights file replaced while it is loaded",
    "tensors and weights id of one of the two, never mixed",
)
def test_a_file_that_is_replaced_meanwhile_never_mixes_two(tmp_path, monkeypatch):
    first, second = (
        save_random("sriqa_lite", folder, CropPolicy(number=number))
        for number, folder in ((3, tmp_path / "a"), (7, tmp_path / "b"))
        if folder.mkdir() is None
    )
    ids = {weights_id(first): 3, weights_id(second): 7}
    content = second.read_bytes()
    read = Path.read_bytes

    def then_replaced(path):
        data = read(path)
        path.with_name("new").write_bytes(content)
        path.with_name("new").replace(path)
        return data

    monkeypatch.setattr(Path, "read_bytes", then_replaced)
    found = read_file(first)
    assert found.description["crop_policy"]["number"] == ids[found.weights_id] == 3
    monkeypatch.undo()
    assert ids[read_file(first).weights_id] == 7
