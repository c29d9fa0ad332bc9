import csv
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from sriqa_metric.calibrate.config import LabelsConfig
from sriqa_metric.calibrate.features.processes import first_process
from sriqa_metric.calibrate.statistics import srcc
from sriqa_metric.calibrate.training.crop_batches import CropBatches, Sources
from sriqa_metric.calibrate.training.label_steps import LabelTraining
from sriqa_metric.calibrate.training.label_training import train_on_labels
from sriqa_metric.calibrate.training.losses import group_loss
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models import clip
from sriqa_metric.models.clip import ClipQualityModel
from sriqa_metric.models.dbcnn import DBCNNQualityModel
from sriqa_metric.models.hyperiqa import HyperIQAQualityModel
from tests.calibrate.planted import SMALL, batch_of, planted, tiny, training_of

CPU = torch.device("cpu")

answers = pytest.mark.answers
RUNS = "Training runs"


def logged(folder, name):
    """Values of one named loss, in the order of steps."""
    with (folder.path / "log.csv").open(newline="") as stream:
        return [float(row["value"]) for row in csv.DictReader(stream) if row["loss"] == name]


def test_logit_scale_and_texts_of_clip_stay_as_they_are(sets, monkeypatch):
    def tower():
        return torch.nn.Sequential(
            torch.nn.AvgPool2d(32), torch.nn.Flatten(), torch.nn.Linear(147, 512)
        )

    monkeypatch.setattr(clip, "_visual_tower", tower)
    torch.manual_seed(0)
    model = ClipQualityModel()
    model.text.normal_()
    model.logit_scale.fill_(3.0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batches = CropBatches(Sources(tuple(sets)), SMALL, 0, 224)
    training = LabelTraining(model, batches, SMALL, CPU, None, "labels")
    training.step(1, batch_of(batches))
    assert torch.equal(model.text, before["text"])
    assert torch.equal(model.logit_scale, before["logit_scale"])
    assert model.text.grad is None
    assert model.logit_scale.grad is None
    assert not torch.equal(model.visual[2].weight, before["visual.2.weight"])


@pytest.mark.parametrize("build", [DBCNNQualityModel, HyperIQAQualityModel, ClipQualityModel])
def test_published_models_score_alike_in_training_and_keep_their_statistics(build):
    if build is ClipQualityModel:
        pytest.importorskip("open_clip")
    torch.manual_seed(0)
    model = build().train()
    statistics = {name: tensor.clone() for name, tensor in model.named_buffers()}
    crop = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        training = model.encode(crop)
        scoring = model.eval().encode(crop)
    assert torch.allclose(training, scoring, atol=1e-5)  # attention has two implementations
    assert all(torch.equal(tensor, statistics[name]) for name, tensor in model.named_buffers())


def test_training_learns_a_planted_order_and_leaves_the_model_frozen(sets, validation, folder):
    model = tiny()
    config = replace(SMALL, epochs=12, crops=1)
    train_on_labels(model, Sources(tuple(sets)), validation, config, 0, folder, CPU)
    for name in ("one", "two"):
        losses = logged(folder, name)
        assert len(losses) == 24
        assert np.mean(losses[-4:]) < np.mean(losses[:4]) - 0.02
    values = logged(folder, "validation")
    assert len(values) == 13
    assert values == logged(folder, "held srcc")
    assert max(values) > 0.95 > values[0] + 0.1
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    scores = CalibratedMetric("tiny", model, None, CropPolicy()).score(
        list(validation.labelled[0].paths)
    )
    assert srcc(np.array(scores), validation.labelled[0].mos) == pytest.approx(
        max(values), abs=1e-6
    )


def test_the_best_state_is_kept_not_the_last(sets, validation, folder, monkeypatch):
    states, values = [], iter([0.3, 0.8, 0.8, -0.2])

    mos = validation.labelled[0].mos

    def judge(training, metric, paths):
        states.append({n: t.clone() for n, t in metric.quality_model.state_dict().items()})
        order = np.argsort(np.argsort(mos))
        value = next(values)
        return order if value == 0.8 else order * value + np.roll(order, 3)

    monkeypatch.setattr(LabelTraining, "_scores", judge)
    model = tiny()
    train_on_labels(
        model, Sources(tuple(sets)), validation, replace(SMALL, epochs=3), 0, folder, CPU
    )
    assert len(states) == 4
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, states[1][name])
    assert not torch.equal(states[1]["conv.weight"], states[3]["conv.weight"])


def test_equal_scores_count_as_no_correlation(sets, validation, folder):
    model = tiny()
    model.out.weight.zero_()
    train_on_labels(
        model, Sources(tuple(sets)), validation, replace(SMALL, epochs=1), 0, folder, CPU
    )
    assert logged(folder, "validation")[0] == 0


def test_model_four_trains_by_the_ranking_of_methods_too(sets, validation, sr, folder):
    config = replace(SMALL, contents=3, epochs=1)
    held = replace(validation, sr=sr)
    train_on_labels(tiny(), Sources(tuple(sets), sr), held, config, 0, folder, CPU, stage="joint")
    assert len(logged(folder, "group")) == 2
    pairs, alone = logged(folder, "image pairs"), logged(folder, "held srcc")
    assert logged(folder, "validation") == pytest.approx(np.mean([pairs, alone], axis=0), abs=1e-5)
    assert all(0 <= value <= 1 for value in pairs)
    assert (folder.path / "joint.checkpoint").exists()


def test_every_ranking_has_a_group_loss_of_its_own(sets, validation, sr, folder):
    more = replace(sr, methods=sr.methods[:2], mu=sr.mu[:2])
    config = replace(SMALL, contents=3, epochs=1, group_weight=2.0)
    model = tiny()
    batches = CropBatches(Sources(tuple(sets), sr, more=(more,)), config, 0, 224)
    training = LabelTraining(model, batches, config, CPU, None, "labels")
    batch = next(batches.stream(range(1, 2), workers=1))
    scores = torch.randn(len(batch.images), generator=torch.Generator().manual_seed(0))
    names, losses = training._losses((scores, torch.empty(0, 1)), batch)
    assert names[-2:] == ["group", "group 2"]
    for loss, ranked, part in zip(losses[-2:], (sr, more), scores[8:].split([9, 6]), strict=True):
        groups = part.view(1, 3, len(ranked.mu)).transpose(1, 2)
        mu = torch.as_tensor(ranked.mu, dtype=torch.float32)
        assert torch.equal(loss, 2 * group_loss(groups, mu))


def test_groups_of_more_contents_than_there_are_take_all(sets, validation, sr, folder):
    """Six contents: a group of all, and one group of four where a second does not fit."""
    for contents, groups, stage in ((8, 1, "all"), (4, 2, "one")):
        config = replace(SMALL, contents=contents, groups=groups, epochs=1)
        given = Sources(tuple(sets), sr)
        train_on_labels(tiny(), given, validation, config, 0, folder, CPU, stage=stage)
    assert len(logged(folder, "group")) == 4


def test_no_epochs_change_nothing_and_ask_for_nothing(folder):
    model = tiny()
    before = model.conv.weight.clone()
    train_on_labels(model, Sources(), Sources(), LabelsConfig(), 0, folder, CPU)
    assert torch.equal(model.conv.weight, before)
    assert not (folder.path / "log.csv").exists()


def test_torchs_random_state_is_left_alone(sets, validation, folder):
    state = torch.get_rng_state()
    train_on_labels(
        tiny(), Sources(tuple(sets)), validation, replace(SMALL, epochs=1), 0, folder, CPU
    )
    assert torch.equal(torch.get_rng_state(), state)


# Errors


def test_groups_need_sr_results(sets, validation, folder):
    config = replace(SMALL, contents=4)
    with pytest.raises(SriqaError, match=r"labels\.contents is 4, but there are no SR results"):
        train_on_labels(tiny(), Sources(tuple(sets)), validation, config, 0, folder, CPU)


def test_sets_that_give_no_pairs_are_refused(sets, validation, folder):
    one = sets[0].select(np.arange(11) == 0)
    for found, held, message in (
        ([], validation, "no labelled images to train on; set data.labelled"),
        (sets, Sources(), "no labelled images to choose the best state on"),
        ([one], validation, "one: 1 image; pairs need two"),
    ):
        with pytest.raises(SriqaError, match=message):
            train_on_labels(tiny(), Sources(tuple(found)), held, SMALL, 0, folder, CPU)


@answers(
    RUNS,
    "a training image that is missing or broken",
    "error that names it",
)
def test_images_that_are_missing_or_broken_are_named(tmp_path, validation, folder):
    labelled = planted(tmp_path, "broken", 4)
    labelled.paths[2].write_bytes(b"no image")
    with pytest.raises(SriqaError, match=r"broken/2\.bmp: is not an image"):
        train_on_labels(tiny(), Sources((labelled,)), validation, SMALL, 0, folder, CPU)
    labelled.paths[2].unlink()
    with pytest.raises(SriqaError, match=r"broken: missing 1 of 4 images: .*2\.bmp"):
        train_on_labels(tiny(), Sources((labelled,)), validation, SMALL, 0, folder, CPU)


@answers(
    RUNS,
    "stage 1: a loss that is not finite",
    "error: step and files",
)
def test_a_loss_that_is_not_finite_stops_with_its_step_and_files(sets, validation, folder):
    config = replace(SMALL, lr=1e34)
    with pytest.raises(SriqaError, match=r"the loss of step 2 is nan; .*one/\d+\.bmp, .*two/"):
        train_on_labels(tiny(), Sources(tuple(sets)), validation, config, 0, folder, CPU)
    assert len(logged(folder, "one")) == 1


def test_a_gradient_that_is_not_finite_stops_before_the_weights_change(sets):
    class Root(torch.nn.Module):
        def forward(self, x):
            return (x * 0).sqrt()

    model = tiny(dropout=0)
    model.dropout = Root()
    training, batch = training_of(sets, model=model)
    before = model.out.weight.clone()
    with pytest.raises(SriqaError, match=r"the gradient of step 1 is nan; .*one/\d+\.bmp"):
        training.step(1, batch)
    assert torch.equal(model.out.weight, before)


def test_out_of_memory_names_what_to_halve(sets, validation, sr, folder, monkeypatch):
    def full(training, number, batch):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(LabelTraining, "step", full)
    config = replace(SMALL, batch=6, contents=3)
    with pytest.raises(
        SriqaError, match=r"labels\.batch=3 \(it is 6\), labels\.contents=1"
    ) as error:
        train_on_labels(tiny(), Sources(tuple(sets), sr), validation, config, 0, folder, CPU)
    assert "labels.checkpointing=true" in str(error.value)


@answers(
    RUNS,
    "a launcher, and accelerate not installed",
    "error: pip install",
)
def test_one_of_several_processes_needs_accelerate(sets, validation, folder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(SriqaError, match="one of 2 processes, which needs accelerate; pip install"):
        train_on_labels(tiny(), Sources(tuple(sets)), validation, SMALL, 0, folder, CPU)
    assert first_process()
    monkeypatch.setenv("RANK", "1")
    assert not first_process()
