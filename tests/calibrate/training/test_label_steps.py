"""Schedule, scores and losses of stage 1."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from sriqa_metric.calibrate.data.distortions import VERSIONS
from sriqa_metric.calibrate.training import crop_scorers
from sriqa_metric.calibrate.training.crop_batches import Sources
from sriqa_metric.calibrate.training.crop_scorers import CropScorer
from sriqa_metric.calibrate.training.label_steps import learning_rate
from sriqa_metric.calibrate.training.label_training import train_on_labels
from sriqa_metric.calibrate.training.losses import fidelity, preference
from sriqa_metric.crops import CropPolicy, read_crops
from sriqa_metric.errors import SriqaError
from sriqa_metric.images import read_image
from sriqa_metric.metric import CalibratedMetric
from tests.calibrate.planted import SMALL, planted, tiny, training_of

CPU = torch.device("cpu")
ALONE = (np.arange(0),)  # the shares of a single process are not asked for


def test_learning_rate_falls_along_half_a_cosine_and_starts_over():
    rates = [learning_rate(step, 10, 4.0) for step in range(1, 22)]
    assert rates[0] == rates[10] == rates[20] == 4
    assert rates[5] == pytest.approx(2)
    assert rates[1] == pytest.approx(2 * (1 + math.cos(math.pi / 10)))
    assert all(later < earlier for earlier, later in pairwise(rates[:10]))
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=4.0)
    torchs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10)
    for rate in rates:
        assert rate == pytest.approx(torchs.get_last_lr()[0])
        optimizer.step()
        torchs.step()


def test_scores_in_training_are_those_of_the_metric(validation):
    model = tiny()
    metric = CalibratedMetric("tiny", model, None, CropPolicy())
    path = validation.labelled[0].paths[0]
    crops = read_crops(read_image(path), metric.policy)
    scores = CropScorer(model, SMALL)(crops, [len(crops)], ALONE)
    assert scores.item() == pytest.approx(metric.score(path), abs=1e-6)


def scored(training, crops):
    """Scores (P,) of the crops (P, K, S, S, 3) of P images."""
    flat = torch.from_numpy(crops.reshape(-1, *crops.shape[2:])).permute(0, 3, 1, 2) / 255
    return training.network(flat, [crops.shape[1]] * len(crops), ALONE)


def test_losses_are_means_over_the_pairs_within_each_set_and_among_methods(sets, sr):
    config = replace(SMALL, contents=2, group_weight=0.25)
    training, batch = training_of(sets, config, sr=sr)
    with torch.no_grad():
        scores = scored(training, batch.images)
    found = training.step(1, batch)
    start = 0
    for labelled, rows in zip(sets, batch.rows, strict=True):
        assert batch.files[start : start + 4] == tuple(labelled.paths[row] for row in rows)
        pairs = [
            fidelity(
                torch.tensor(float(labelled.mos[rows[i]] > labelled.mos[rows[j]])),
                scores[start + i] - scores[start + j],
            )
            for i in range(4)
            for j in range(i)
        ]
        assert found[labelled.name] == pytest.approx(torch.stack(pairs).mean().item(), abs=1e-6)
        start += 4
    means = scores[8:].view(2, 3).mean(0)  # by method, best first
    pairs = [fidelity(torch.ones(()), means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found["group"] == pytest.approx(0.25 * torch.stack(pairs).mean().item(), abs=1e-6)
    assert found["lr"] == SMALL.lr


def test_certain_orders_are_learnt_beside_the_labels(sets, sr):
    photos = tuple(sets[0].paths)
    config = replace(SMALL, photo_ladders=2, sr_ladders=1, fine_weight=0.5, ruin_weight=0.25)
    config = replace(config, trace_weight=0.125)
    training, batch = training_of(sets, config, sr=sr, photos=photos)
    assert batch.ladders.shape == (3, VERSIONS, 224, 224, 3)
    assert len(batch.files) == len(batch.images) + 3
    assert set(batch.files[8:10]) < set(photos)
    with torch.no_grad():
        alone = [scored(training, ladder[:, None]) for ladder in batch.ladders]
    found = training.step(1, batch)
    for name, pairs, weight in (
        ("fine", [(i, j) for i in range(4) for j in range(i + 1, 4)], 0.5),
        ("ruin", [(0, j) for j in range(4, 7)], 0.25),
        ("trace", [(0, 7)], 0.125),
    ):
        target = preference(torch.tensor(0.15)) if name == "trace" else torch.ones(())
        losses = [fidelity(target, z[i] - z[j]) for z in alone for i, j in pairs]
        assert found[name] == pytest.approx(weight * torch.stack(losses).mean().item(), abs=1e-6)


@pytest.mark.parametrize("setting", ["photo_ladders", "sr_ladders"])
def test_certain_orders_need_images(sets, validation, folder, setting):
    config = replace(SMALL, **{setting: 2})
    with pytest.raises(SriqaError, match=rf"labels\.{setting} is 2, but there are no"):
        train_on_labels(tiny(), Sources(tuple(sets)), validation, config, 0, folder, CPU)


def test_frozen_parts_stay_and_a_head_has_a_rate_of_its_own(sets):
    config = replace(SMALL, frozen=["conv"], head=["out"], head_lr=0.5)
    training, batch = training_of(sets, config)
    before = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    training.step(1, batch)
    after = training.model.state_dict()
    assert torch.equal(after["conv.weight"], before["conv.weight"])
    assert not torch.equal(after["out.weight"], before["out.weight"])
    assert [group["lr"] for group in training.optimizer.param_groups] == [0.5]
    for wrong, message in (
        ({"frozen": ["con"]}, r"labels\.frozen: the network has no part 'con'"),
        ({"head": ["tail"]}, r"labels\.head: the network has no part 'tail'"),
        ({"frozen": ["conv", "out"]}, "nothing is left to train"),
    ):
        with pytest.raises(SriqaError, match=message):
            training_of(sets, replace(SMALL, **wrong))


def test_the_moving_average_is_what_is_judged_and_kept(sets, validation, folder):
    training, batch = training_of(sets, replace(SMALL, averaging=0.5))
    states = [training.model.conv.weight.detach().clone()]
    for step in (1, 2):
        training.step(step, batch)
        states.append(training.model.conv.weight.detach().clone())
    average = states[0].lerp(states[1], 1 - min(0.5, 1 / 10)).lerp(states[2], 1 - min(0.5, 2 / 11))
    assert torch.allclose(training.average.conv.weight, average)
    training.validate(validation)
    assert torch.equal(training.best_state["conv.weight"], training.average.conv.weight)


def test_equal_labels_ask_for_equal_scores(tmp_path):
    flat = replace(planted(tmp_path, "flat", 4), mos=np.full(4, 2.0))
    training, batch = training_of([flat])
    before = training.step(1, batch)["flat"]
    for step in range(2, 40):
        after = training.step(step, batch)["flat"]
    assert after < before


def test_checkpointing_changes_no_gradient(sets, monkeypatch):
    monkeypatch.setattr(crop_scorers, "_CHECKPOINTED", 5)
    gradients, passes = [], []
    for checkpointing in (False, True):
        config = replace(SMALL, checkpointing=checkpointing)
        training, batch = training_of(sets, config)
        crops: list[int] = []
        training.model.conv.register_forward_hook(lambda *x, seen=crops: seen.append(len(x[2])))
        training.step(1, batch)
        gradients.append([p.grad for p in training.model.parameters()])
        passes.append(crops)
    assert passes == [[16], [5, 5, 5, 1, 1, 5, 5, 5]]  # of 8 images: forward, then again
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)  # sums of floats in another order


def test_bf16_keeps_weights_and_scores_in_float32(sets):
    losses, scores = [], []
    for precision in ("fp32", "bf16"):
        training, batch = training_of(sets, replace(SMALL, precision=precision))
        scores.append(scored(training, batch.images).detach())
        losses.append(training.step(1, batch)["one"])
        states = training.optimizer.state.values()
        tensors = [*training.model.parameters(), *(state["exp_avg"] for state in states)]
        assert {tensor.dtype for tensor in (*tensors, scores[-1])} == {torch.float32}
    assert losses[0] == pytest.approx(losses[1], abs=1e-2)
    assert 0 < (scores[0] - scores[1]).abs().max() < 1e-2


def test_compiling_is_asked_of_torch(monkeypatch):
    calls = []
    monkeypatch.setattr(torch, "compile", lambda function: calls.append(function) or function)
    model = tiny()
    CropScorer(model, SMALL)
    CropScorer(model, replace(SMALL, compile=True))
    assert calls == [model.encode]
