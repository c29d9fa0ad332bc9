"""Whole runs on a small made world: stage 1, stage 2, and the same after a stop."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import sriqa_metric as sriqa
from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.data.mos_sets import read_labelled
from sriqa_metric.calibrate.data.sr_results import pixels
from sriqa_metric.calibrate.pipelines import adapted
from sriqa_metric.calibrate.training.pretrained import imagenet_encoder
from sriqa_metric.calibrate.training.quality_runs import train_quality_model
from sriqa_metric.calibrate.training.runs import train
from sriqa_metric.crops import CropPolicy, read_crops
from sriqa_metric.errors import SriqaError
from sriqa_metric.images import as_float, to_tensor
from sriqa_metric.weights.format import read_file

answers = pytest.mark.answers
RUNS = "Training runs"
CPU = torch.device("cpu")
SMALL = [
    "validation.contents=2",
    "validation.photos=2",
    'validation.methods=["soft"]',
    "labels.epochs=3",
    "labels.batch=6",
    "labels.draws=2",
    "labels.crops=1",
    "labels.groups=2",
    "labels.photo_ladders=2",
    "labels.sr_ladders=1",
    "rectifier.epochs=20",
    "rectifier.ladders=4",
]


@pytest.fixture(scope="module")
def settings(made_data):
    places = [f"data.sr={made_data / 'sr'}", f"data.photos={made_data / 'photos'}"]
    return [*places, f'data.labelled=["mos={made_data / "rated"}"]', *SMALL]


@pytest.fixture(scope="module")
def quality(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "quality"
    train_quality_model(load_config("sriqa_lite", settings), folder, CPU)
    return folder


@pytest.fixture(scope="module")
def stage_two(settings, quality):
    return load_config("sriqa_lite", [*settings, f"base={quality / 'weights.safetensors'}"])


@pytest.fixture(scope="module")
def run(stage_two, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "full"
    train(stage_two, folder, CPU)
    return folder


def test_stage_one_leaves_a_quality_model_whose_rectifier_changes_nothing(quality, picture):
    metric = sriqa.load("sriqa_lite", weights=quality / "weights.safetensors")
    calibrated = metric.score(picture)
    metric.rectifier = None
    assert metric.score(picture) == pytest.approx(calibrated, abs=1e-6)
    assert 1 <= calibrated <= 5
    figures = json.loads((quality / "report.json").read_text())["figures"]
    assert list(figures) == ["quality model"]
    assert {"severity", "severity_sr", "SRCC rated"} <= set(figures["quality model"])


def test_the_encoder_of_sriqa_lite_is_that_of_imagenet(quality):
    tensors = read_file(quality / "weights.safetensors").tensors
    for name, tensor in imagenet_encoder().state_dict().items():
        assert torch.equal(tensors[f"quality_model.encoder.{name}"], tensor.half())


def test_statistics_are_standardised_on_the_rated_images_and_the_finest_count_double(
    quality, made_data
):
    """Where they vary enough: a floor keeps the others small."""
    model = sriqa.load("sriqa_lite", weights=quality / "initial.safetensors").quality_model
    images = [to_tensor(pixels(made_data / "rated" / f"{index}.png")) for index in range(12)]
    crops = torch.cat([read_crops(as_float(image), CropPolicy(number=1)) for image in images])
    with torch.inference_mode():
        found = imagenet_encoder()(crops)
    scale = 1 / found.std(0).clamp_min(1e-2)
    scale[:160] *= 2
    assert torch.allclose(model.centre, found.mean(0), atol=1e-3, rtol=2e-3)
    assert torch.allclose(model.scale, scale, rtol=1e-2)


def test_scores_lie_on_the_scale_of_the_rated_images_that_were_held_out(quality, made_data):
    metric = sriqa.load("sriqa_lite", weights=quality / "weights.safetensors")
    rows = list(csv.DictReader((quality / "splits-rated.csv").open()))
    held = [row["path"] for row in rows if row["split"] == "validation"]
    mos = read_labelled("mos", made_data / "rated")
    of = {path.name: value for path, value in zip(mos.paths, mos.mos, strict=True)}
    values = np.array([of[Path(path).name] for path in held])
    levels = 1 + 4 * (values - values.min()) / np.ptp(values)
    scores = np.array(metric.score([made_data / "rated" / Path(path).name for path in held]))
    metric.quality_model.rating.copy_(torch.tensor([0.0, 1.0]))
    before = np.array(metric.score([made_data / "rated" / Path(path).name for path in held]))
    assert np.array_equal(scores.argsort(), before.argsort())
    assert np.square(scores - levels).mean() < np.square(before - levels).mean()


def test_stage_two_leaves_weights_that_score(run, quality, picture):
    metric = sriqa.load("sriqa_lite", weights=run / "weights.safetensors")
    assert isinstance(metric.score(picture), float)
    description = read_file(run / "weights.safetensors").description
    assert description["training_data"]["methods"] == ["sharp", "dull"]
    assert len(description["training_data"]["sr_sha256"]) == 64
    base = sriqa.load("sriqa_lite", weights=quality / "weights.safetensors")
    assert description["base"] == {"weights": base.weights_id}


def test_a_run_tells_its_settings_losses_and_figures(run, quality):
    assert json.loads((quality / "config.json").read_text())["labels"]["epochs"] == 3
    for folder, stages in ((quality, {"labels"}), (run, {"rectifier"})):
        with (folder / "log.csv").open() as stream:
            assert {row["stage"] for row in csv.DictReader(stream)} == stages
        assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads((run / "report.json").read_text())["figures"]
    assert list(figures) == ["quality model", "calibrated"]
    assert {"unseen_pairs", "trace", "severity_sr", "SRCC rated"} <= set(figures["calibrated"])
    assert "| calibrated |" in (run / "report.md").read_text()


def test_too_few_held_out_are_told_in_words_and_not_as_a_correlation(run):
    report = json.loads((run / "report.json").read_text())
    told = "held out are 2 contents: fewer than 10 tell little of what is new"
    assert report["notes"] == [told]
    assert f"Note: {told}." in (run / "report.md").read_text()
    assert "srcc" not in report["figures"]["calibrated"]


@answers(
    RUNS,
    "a folder with a finished run",
    "error: give a new folder",
)
def test_a_finished_run_is_not_overwritten(run, stage_two, tmp_path):
    with pytest.raises(SriqaError, match="a run that is finished; give this one a new folder"):
        train(stage_two, run, CPU)
    (tmp_path / "something").touch()
    with pytest.raises(SriqaError, match="is not empty; give the run a new folder"):
        train(stage_two, tmp_path, CPU)


def test_a_stopped_stage_one_goes_on_to_the_same_weights(quality, settings, tmp_path):
    shutil.copy(quality / "config.json", tmp_path / "config.json")
    shutil.copytree(quality / "features", tmp_path / "features")
    train_quality_model(load_config("sriqa_lite", settings), tmp_path, CPU)
    name = "weights.safetensors"
    assert (tmp_path / name).read_bytes() == (quality / name).read_bytes()


def test_a_stopped_stage_two_goes_on_to_the_same_weights(run, stage_two, tmp_path):
    shutil.copy(run / "config.json", tmp_path / "config.json")
    shutil.copytree(run / "features", tmp_path / "features")
    train(stage_two, tmp_path, CPU)
    name = "weights.safetensors"
    assert (tmp_path / name).read_bytes() == (run / name).read_bytes()


def test_runs_do_not_go_on_with_other_inputs(run, quality, stage_two, settings, tmp_path):
    one = load_config("sriqa_lite", settings)
    for whole, config, begin in ((quality, one, train_quality_model), (run, stage_two, train)):
        stopped = tmp_path / whole.name
        stopped.mkdir()
        shutil.copy(whole / "config.json", stopped)
        inputs = json.loads((whole / "inputs.json").read_text())
        name = next(name for name in inputs if name.endswith("ranking.csv"))
        (stopped / "inputs.json").write_text(json.dumps(inputs | {name: "0" * 64}))
        with pytest.raises(SriqaError, match=f"changed: {name}; put back"):
            begin(config, stopped, CPU)


def test_a_metric_is_adapted_to_other_methods_without_photos(made_data, tmp_path):
    config = adapted("sriqa_lite", made_data / "sr", made_data / "sr" / "ranking.csv", None)
    assert config.rectifier.epochs == 300  # one group of five contents an epoch
    assert config.rectifier.ladders == 64
    assert config.validation.contents == 1
    small = load_config("sriqa_lite", ["rectifier.epochs=3"]).rectifier
    figures = train(type(config)(**{**vars(config), "rectifier": small}), tmp_path / "run", CPU)
    assert "severity" not in figures["calibrated"]
    assert (tmp_path / "run" / "weights.safetensors").exists()


@answers(
    RUNS,
    "a base that is no metric and no weights file",
    "error that quotes it",
)
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["base=sriqa_clip"], "no weights are released"),
        (["base=none.safetensors"], "is neither a weights file nor one of the metrics"),
        (["base="], "base is not set; add --base FILE, or the name of a metric"),
        (
            ["base=sriqa_lite", 'metric="sriqa_clip"'],
            "base: sriqa_lite is sriqa_lite, not sriqa_clip",
        ),
    ],
)
def test_bases_that_cannot_be_are_told(overrides, message, settings, tmp_path):
    with pytest.raises(SriqaError, match=message):
        train(load_config("sriqa_lite", [*settings, *overrides]), tmp_path / "run", CPU)


@answers(
    RUNS,
    "stage 1 without labelled images",
    "error: set data.labelled",
)
@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("sriqa_dbcnn", ["data.labelled=[]"], "data.labelled is not set"),
        ("sriqa_dbcnn", [], "initial is not set; give the weights file that sriqa_dbcnn starts"),
        ("sriqa_lite", ['data.photos=""'], "labels.photo_ladders is 2, but there are no photos"),
    ],
)
def test_stage_one_says_what_it_lacks(name, overrides, message, settings, tmp_path):
    with pytest.raises(SriqaError, match=message):
        train_quality_model(load_config(name, [*settings, *overrides]), tmp_path / "run", CPU)
