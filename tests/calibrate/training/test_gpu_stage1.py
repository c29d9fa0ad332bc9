"""Stage 1 at the paper's size on CUDA: ViT-B/32 with random weights, 16 images x 3 crops a set."""

import csv
from dataclasses import replace

import pytest
import torch

from sriqa_metric.calibrate.config import LabelsConfig
from sriqa_metric.calibrate.training import label_training
from sriqa_metric.calibrate.training.crop_batches import Sources
from sriqa_metric.calibrate.training.label_training import LabelTraining, train_on_labels
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.models.clip import ClipQualityModel
from tests.calibrate.planted import planted

pytestmark = pytest.mark.gpu
CUDA = torch.device("cuda")
PAPER = LabelsConfig(epochs=1, batch=16, crops=3)  # two steps, bf16


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    return [planted(folder, "one", 32), planted(folder, "two", 16, side=260)]


@pytest.fixture(scope="module")
def validation(tmp_path_factory):
    return Sources((planted(tmp_path_factory.mktemp("validation"), "held", 8),))


def clip():
    """The same random weights and texts in every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ClipQualityModel()
        model.text.normal_()
    return model


def train(path, sets, validation, config=PAPER):
    """Losses of every step, and the last state."""
    with RunFolder(path, {}) as folder:
        train_on_labels(clip(), Sources(tuple(sets)), validation, config, 0, folder, CUDA)
        state = folder.resume("labels")[1]["model"]
    with (path / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [float(row["value"]) for row in rows if row["loss"] in ("one", "two")], state


@pytest.mark.parametrize("change", [{}, {"checkpointing": True}, {"precision": "fp32"}])
def test_a_full_step_has_a_finite_loss_and_moves_the_encoder_alone(
    tmp_path, sets, validation, change
):
    losses, state = train(tmp_path / "run", sets, validation, replace(PAPER, **change))
    assert len(losses) == 4
    assert all(0 <= loss <= 1 for loss in losses)
    before = clip().state_dict()
    assert torch.equal(state["text"], before["text"])
    assert torch.equal(state["logit_scale"], before["logit_scale"])
    assert not torch.equal(state["visual.conv1.weight"], before["visual.conv1.weight"])
    assert all(tensor.dtype == torch.float32 for tensor in state.values())


@pytest.mark.slow
def test_compiled_steps_have_the_losses_of_others(tmp_path, sets, validation):
    plain, _ = train(tmp_path / "plain", sets, validation)
    compiled, _ = train(tmp_path / "compiled", sets, validation, replace(PAPER, compile=True))
    assert compiled == pytest.approx(plain, abs=0.02)


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path, sets, validation, monkeypatch):
    monkeypatch.setattr(label_training, "_SAVE_EVERY", 1)
    whole, state = train(tmp_path / "whole", sets, validation)
    step = LabelTraining.step

    def stopping(training, number, batch):
        if number == 2:
            raise KeyboardInterrupt
        return step(training, number, batch)

    with monkeypatch.context() as patch:
        patch.setattr(LabelTraining, "step", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", sets, validation)
    resumed, other = train(tmp_path / "stopped", sets, validation)
    # Sums of gradients on CUDA depend on the order of threads; a step of Adam is of size lr.
    assert resumed == pytest.approx(whole, abs=0.01)
    for name, tensor in state.items():
        assert (tensor - other[name]).abs().max() <= 4.1 * PAPER.lr
