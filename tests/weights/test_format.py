"""A weights file is read once, whole."""

from pathlib import Path

import pytest
import torch

from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import WeightsError
from sriqa_metric.weights.format import read_file, save_weights, weights_id
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
