import csv
import math
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from sriqa_metric.calibrate.config import LabelsConfig
from sriqa_metric.calibrate.data.distortions import FINE_STEPS, RUINS
from sriqa_metric.calibrate.data.sr_results import pixels, read_sr_results
from sriqa_metric.calibrate.statistics import srcc
from sriqa_metric.calibrate.training import label_steps
from sriqa_metric.calibrate.training.crop_batches import CropBatches, Sources, random_crops
from sriqa_metric.calibrate.training.label_steps import CropScorer, LabelTraining, learning_rate
from sriqa_metric.calibrate.training.label_training import first_process, train_on_labels
from sriqa_metric.calibrate.training.losses import fidelity
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.crops import CropPolicy, enlarged_size, read_crops
from sriqa_metric.errors import SriqaError
from sriqa_metric.images import read_image
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models import clip
from sriqa_metric.models.clip import ClipQualityModel
from sriqa_metric.models.dbcnn import DBCNNQualityModel
from sriqa_metric.models.hyperiqa import HyperIQAQualityModel
from tests.calibrate.planted import SMALL, planted, tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    return [planted(folder, "one", 11), planted(folder, "two", 6, side=240)]


@pytest.fixture(scope="module")
def validation(tmp_path_factory):
    return [planted(tmp_path_factory.mktemp("validation"), "held", 8, side=224)]


@pytest.fixture(scope="module")
def sr(made_data):
    return read_sr_results(made_data / "sr", made_data / "sr" / "ranking.csv")


@pytest.fixture
def folder(tmp_path):
    with RunFolder(tmp_path / "run", {}) as opened:
        yield opened


def logged(folder, name):
    """Values of one named loss, in the order of steps."""
    with (folder.path / "log.csv").open(newline="") as stream:
        return [float(row["value"]) for row in csv.DictReader(stream) if row["loss"] == name]


def drawn(batches, step):
    return batches._jobs(step)[0]


def batch_of(batches, step=1):
    return next(batches.stream(range(step, step + 1), workers=1))


# What is drawn


def test_an_epoch_passes_once_through_the_largest_set(sets):
    batches = CropBatches(Sources(tuple(sets)), SMALL, 0, 224)
    assert batches.steps_per_epoch == 2  # 11 images in fours; three are left out of this pass
    first = [drawn(batches, step) for step in (1, 2)]
    rows = np.concatenate([step[0] for step in first])
    assert len(set(rows)) == 8
    assert all(len(step[1]) == 4 for step in first)  # a pass through six is one batch
    assert list(first[0][1]) != list(first[1][1])
    epochs = [np.concatenate([drawn(batches, e * 2 + s)[0] for s in (1, 2)]) for e in range(30)]
    assert set(np.concatenate(epochs)) == set(range(11))
    assert len({tuple(rows) for rows in epochs}) > 25


def test_a_set_smaller_than_a_batch_is_there_as_a_whole(sets):
    batches = CropBatches(Sources(tuple(sets)), replace(SMALL, batch=8), 0, 224)
    assert batches.steps_per_epoch == 1
    one, two = drawn(batches, 5)
    assert len(set(one)) == 8
    assert sorted(two) == list(range(6))


def test_processes_share_a_pass(sets):
    both = [CropBatches(Sources(tuple(sets)), SMALL, 0, 224, process, 2) for process in (0, 1)]
    assert [batches.steps_per_epoch for batches in both] == [1, 1]
    assert not set(drawn(both[0], 1)[0]) & set(drawn(both[1], 1)[0])
    crops = [batch_of(batches).crops for batches in both]
    assert (crops[0] != crops[1]).any()


def test_a_batch_depends_on_seed_and_step_alone(sets, sr):
    config = replace(SMALL, contents=2)
    batches = CropBatches(Sources(tuple(sets), sr), config, 3, 224)
    ahead = list(batches.stream(range(1, 4), workers=3))
    late = batch_of(batches, 3)
    assert ahead[2].crops.shape == (4 + 4 + 2 * 3, 2, 224, 224, 3)
    assert ahead[2].files == late.files
    assert (ahead[2].crops == late.crops).all()
    assert (ahead[1].crops != late.crops).any()
    other = batch_of(CropBatches(Sources(tuple(sets), sr), config, 4, 224), 3)
    assert other.files != late.files
    assert late.files[8:11] == tuple(sr.paths[m, late.files[8].stem] for m in sr.methods)


def test_crops_are_windows_of_their_image_at_one_place_mirrored_or_not(made_data, sr):
    paths = [sr.paths[method, "c0"] for method in sr.methods]
    crops = random_crops(paths, 20, 64, np.random.default_rng(0))
    image = pixels(paths[0])
    spots = {}
    for number, crop in enumerate(crops[0]):
        for mirrored, window in ((False, crop), (True, crop[:, ::-1])):
            views = np.lib.stride_tricks.sliding_window_view(image, (64, 64), (0, 1))
            hits = np.argwhere((views[:, :, :, 0, 0] == window[0, 0]).all(-1))
            for top, left in hits:
                if (image[top : top + 64, left : left + 64] == window).all():
                    spots[number] = (top, left, mirrored)
    assert len(spots) == 20
    assert len(set(spots.values())) > 15
    assert {mirrored for *_, mirrored in spots.values()} == {True, False}
    for path, same in zip(paths[1:], crops[1:], strict=True):
        other = pixels(path)
        for number, (top, left, mirrored) in spots.items():
            window = other[top : top + 64, left : left + 64]
            assert (same[number] == (window[:, ::-1] if mirrored else window)).all()


def test_a_small_image_is_enlarged_as_for_scoring(tmp_path):
    small = planted(tmp_path, "small", 2, side=50).paths[0]
    assert enlarged_size(50, 50, 224) == (224, 224)
    crops = random_crops([small], 6, 224, np.random.default_rng(1))
    whole = read_crops(read_image(small), CropPolicy(number=1))[0].permute(1, 2, 0).numpy()
    for crop in crops[0]:
        nearest = min(np.abs(crop / 255 - w).max() for w in (whole, whole[:, ::-1]))
        assert nearest < 0.51 / 255


def test_results_of_a_content_that_differ_in_size_are_named(tmp_path):
    paths = [planted(tmp_path, f"m{side}", 2, side).paths[0] for side in (230, 240)]
    with pytest.raises(SriqaError, match=r"240x240 pixels, but .*m230.*has 230x230"):
        random_crops(paths, 1, 224, np.random.default_rng(0))


# Schedule, scores, losses


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
    path = validation[0].paths[0]
    crops = read_crops(read_image(path), metric.policy)
    scores = CropScorer(model, SMALL)(crops.unsqueeze(0))
    assert scores.item() == pytest.approx(metric.score(path), abs=1e-6)


def training_of(sets, config=SMALL, model=None, sr=None, photos=()):
    batches = CropBatches(Sources(tuple(sets), sr, photos), config, 0, 224)
    model = model or tiny(dropout=0)
    return LabelTraining(model, batches, config, CPU, None, "labels"), batch_of(batches)


def test_losses_are_means_over_the_pairs_within_each_set_and_among_methods(sets, sr):
    config = replace(SMALL, contents=2, group_weight=0.25)
    training, batch = training_of(sets, config, sr=sr)
    crops = torch.from_numpy(batch.crops).permute(0, 1, 4, 2, 3) / 255
    with torch.no_grad():
        scores = training.network(crops)
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
    training, batch = training_of(sets, config, sr=sr, photos=photos)
    assert batch.ladders.shape == (3, 1 + FINE_STEPS + RUINS, 224, 224, 3)
    assert len(batch.files) == len(batch.crops) + 3
    assert set(batch.files[8:10]) < set(photos)
    with torch.no_grad():
        alone = [
            training.network(torch.from_numpy(ladder[:, None]).permute(0, 1, 4, 2, 3) / 255)
            for ladder in batch.ladders
        ]
    found = training.step(1, batch)
    for name, pairs, weight in (
        ("fine", [(i, j) for i in range(4) for j in range(i + 1, 4)], 0.5),
        ("ruin", [(0, j) for j in range(4, 7)], 0.25),
    ):
        losses = [fidelity(torch.ones(()), z[i] - z[j]) for z in alone for i, j in pairs]
        assert found[name] == pytest.approx(weight * torch.stack(losses).mean().item(), abs=1e-6)


@pytest.mark.parametrize("setting", ["photo_ladders", "sr_ladders"])
def test_certain_orders_need_images(sets, validation, folder, setting):
    config = replace(SMALL, **{setting: 2})
    with pytest.raises(SriqaError, match=rf"labels\.{setting} is 2, but there are no"):
        train_on_labels(tiny(), Sources(tuple(sets)), validation, config, 0, folder, CPU)


def test_frozen_parts_stay_and_a_head_has_a_rate_of_its_own(sets):
    config = replace(SMALL, frozen=["conv"], head=["out"], head_lr=0.0)
    training, batch = training_of(sets, replace(config, head_lr=0.5))
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
    monkeypatch.setattr(label_steps, "_CHECKPOINTED", 5)
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
        crops = torch.from_numpy(batch.crops).permute(0, 1, 4, 2, 3) / 255
        scores.append(training.network(crops).detach())
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


# What is trained


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
    scores = CalibratedMetric("tiny", model, None, CropPolicy()).score(list(validation[0].paths))
    assert srcc(np.array(scores), validation[0].mos) == pytest.approx(max(values), abs=1e-6)


def test_the_best_state_is_kept_not_the_last(sets, validation, folder, monkeypatch):
    states, values = [], iter([0.3, 0.8, 0.8, -0.2])

    def judge(training, metric, labelled):
        states.append({n: t.clone() for n, t in metric.quality_model.state_dict().items()})
        order = np.argsort(np.argsort(labelled.mos))
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
    train_on_labels(
        tiny(), Sources(tuple(sets), sr), validation, config, 0, folder, CPU, stage="joint"
    )
    assert len(logged(folder, "group")) == 2
    assert (folder.path / "joint.checkpoint").exists()


def test_no_epochs_change_nothing_and_ask_for_nothing(folder):
    model = tiny()
    before = model.conv.weight.clone()
    train_on_labels(model, Sources(), [], LabelsConfig(), 0, folder, CPU)
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
        (sets, [], "no labelled images to choose the best state on"),
        ([one], validation, "one: 1 images; pairs need two"),
    ):
        with pytest.raises(SriqaError, match=message):
            train_on_labels(tiny(), Sources(tuple(found)), held, SMALL, 0, folder, CPU)


def test_images_that_are_missing_or_broken_are_named(tmp_path, validation, folder):
    labelled = planted(tmp_path, "broken", 4)
    labelled.paths[2].write_bytes(b"no image")
    with pytest.raises(SriqaError, match=r"broken/2\.bmp: is not an image"):
        train_on_labels(tiny(), Sources((labelled,)), validation, SMALL, 0, folder, CPU)
    labelled.paths[2].unlink()
    with pytest.raises(SriqaError, match=r"broken: 1 of 4 images are missing: .*2\.bmp"):
        train_on_labels(tiny(), Sources((labelled,)), validation, SMALL, 0, folder, CPU)


def test_a_loss_that_is_not_finite_stops_with_its_step_and_files(sets, validation, folder):
    model = tiny()
    model.out.weight.fill_(torch.nan)
    with pytest.raises(SriqaError, match=r"the loss of step 1 is nan; .*one/\d+\.bmp, .*two/"):
        train_on_labels(model, Sources(tuple(sets)), validation, SMALL, 0, folder, CPU)
    assert logged(folder, "one") == []


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


def test_one_of_several_processes_needs_accelerate(sets, validation, folder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(SriqaError, match="one of 2 processes, which needs accelerate; pip install"):
        train_on_labels(tiny(), Sources(tuple(sets)), validation, SMALL, 0, folder, CPU)
    assert first_process()
    monkeypatch.setenv("RANK", "1")
    assert not first_process()


def test_a_run_does_not_go_on_with_another_number_of_processes(sets, validation, folder):
    train_on_labels(
        tiny(), Sources(tuple(sets)), validation, replace(SMALL, epochs=1), 0, folder, CPU
    )
    batches = CropBatches(Sources(tuple(sets)), SMALL, 0, 224, processes=2)
    training = LabelTraining(tiny(), batches, SMALL, CPU, None, "labels")
    with pytest.raises(SriqaError, match="was started by 1 processes and now by 2"):
        training.resume(folder)
