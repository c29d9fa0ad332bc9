import numpy as np
import pytest
import torch

from sriqa_metric.calibrate.config import QualityModelConfig
from sriqa_metric.calibrate.data.sr_results import find_images, read_sr_results
from sriqa_metric.calibrate.features.extract import image_codes, random_ladder
from sriqa_metric.calibrate.statistics import severity_right
from sriqa_metric.calibrate.training.quality_training import (
    Sampler,
    fine_tune,
    standardise_scores,
    train_prior,
)
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.lite import LiteQualityModel

SMALL = QualityModelConfig(
    prior_steps=40, steps=2, crop=64, contents=2, photo_ladders=2, sr_ladders=1, levels=2
)


@pytest.fixture(scope="module")
def sampler(made_data):
    sr = read_sr_results(made_data / "sr", made_data / "sr" / "ranking.csv")
    return Sampler(sr, find_images(made_data / "photos"), SMALL, seed=3)


def ignore(stage, step, losses):
    pass


def test_a_batch_depends_on_seed_and_step_alone(sampler):
    first, again, other = sampler(5), sampler(5), sampler(6)
    assert first.results.shape == (2, 3, 64, 64, 3)
    assert first.ladders.shape == (3, 3, 64, 64, 3)
    assert (first.results == again.results).all()
    assert (first.ladders == again.ladders).all()
    assert (first.results != other.results).any()


def test_all_methods_show_the_same_window_of_a_content(sampler):
    sharp, soft, _ = sampler(0).results[0].astype(float)
    assert np.corrcoef(sharp.ravel(), soft.ravel())[0, 1] > 0.7


def test_prior_learns_ladders_and_ends_at_unit_spread():
    torch.manual_seed(0)
    model = LiteQualityModel().requires_grad_(False)
    ladders = torch.randn(50, 3, 1024)
    ladders[..., 7] += torch.tensor([4.0, 0.0, -4.0])
    train_prior(model, ladders, SMALL, 0, ignore)
    codes = (ladders - model.centre) * model.scale
    scores = model.read(codes.flatten(0, 1))[0].view(50, 3)
    assert severity_right(scores.numpy()) > 0.95
    assert scores.std().item() == pytest.approx(1, abs=1e-4)
    assert scores.mean().item() == pytest.approx(0, abs=1e-4)


def test_standardising_keeps_the_order():
    model = LiteQualityModel().requires_grad_(False)
    codes = torch.randn(20, 1024)
    before = model.read(codes)[0]
    standardise_scores(model, codes)
    assert torch.equal(model.read(codes)[0].argsort(), before.argsort())


def tuned(model, sampler, config, folder):
    with RunFolder(folder, {}) as run:
        return fine_tune(model, sampler.sr, sampler.photos, config, 0, run)


def test_fine_tuning_changes_every_part_and_no_step_nothing(sampler, tmp_path):
    torch.manual_seed(0)
    model = LiteQualityModel().requires_grad_(False)
    before = model.state_dict()
    same = tuned(model, sampler, QualityModelConfig(steps=0), tmp_path / "none").state_dict()
    assert all(torch.equal(same[name], before[name]) for name in before)
    other = tuned(model, sampler, SMALL, tmp_path / "some")
    for part in ("encoder.stem.weight", "hidden.weight", "out.weight"):
        assert not torch.equal(other.state_dict()[part], before[part])
    assert torch.equal(other.centre, before["centre"])
    assert not any(parameter.requires_grad for parameter in other.parameters())


def test_fine_tuning_goes_on_to_the_same_weights(sampler, tmp_path, monkeypatch):
    monkeypatch.setattr("sriqa_metric.calibrate.training.quality_training._CHECKPOINT_EVERY", 1)
    torch.manual_seed(0)
    model = LiteQualityModel().requires_grad_(False)
    whole = tuned(model, sampler, SMALL, tmp_path / "whole")

    class Stopped(Exception):
        pass

    class Stopping(RunFolder):
        def save(self, stage, step, state):
            super().save(stage, step, state)
            raise Stopped

    with Stopping(tmp_path / "parts", {}) as run, pytest.raises(Stopped):
        fine_tune(model, sampler.sr, sampler.photos, SMALL, 0, run)
    parts = tuned(model, sampler, SMALL, tmp_path / "parts")
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_loss_that_is_not_finite_stops_with_its_step(sampler, tmp_path):
    model = LiteQualityModel().requires_grad_(False)
    model.out.bias.fill_(torch.nan)
    with pytest.raises(SriqaError, match="the loss of step 0 is nan"):
        tuned(model, sampler, SMALL, tmp_path)


def test_images_smaller_than_a_crop_are_named(made_data):
    path = made_data / "photos" / "0.png"
    with pytest.raises(SriqaError, match=r"0\.png: 240x240 pixels; training needs 256x256"):
        random_ladder(path, 256, 2, False, np.random.default_rng(0))


def test_codes_are_those_of_each_image_alone(made_data, tmp_path):
    torch.manual_seed(0)
    metric = CalibratedMetric("sriqa_lite", LiteQualityModel(), None, CropPolicy())
    paths = find_images(made_data / "photos")[:3]
    policy = CropPolicy(size=64, number=2)
    together = image_codes(metric, paths, policy)
    alone = torch.cat([image_codes(metric, [path], policy) for path in paths])
    assert torch.allclose(together, alone, atol=1e-4)
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(SriqaError, match=r"bad\.png"):
        image_codes(metric, [*paths, tmp_path / "bad.png"], policy)
