"""A whole run on a small made world."""

import csv
import json
import shutil

import pytest
import torch

import sriqa_metric as sriqa
from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.holdout import write_table
from sriqa_metric.calibrate.runs import read_data, train
from sriqa_metric.errors import SriqaError
from sriqa_metric.weights import read_file

SMALL = [
    "validation.contents=2",
    "validation.photos=2",
    'validation.methods=["soft"]',
    "quality_model.prior_steps=30",
    "quality_model.steps=2",
    "quality_model.crop=64",
    "quality_model.contents=2",
    "quality_model.photo_ladders=1",
    "quality_model.sr_ladders=1",
    "rectifier.steps=20",
]


@pytest.fixture(scope="module")
def settings(made_data):
    places = [f"data.sr={made_data / 'sr'}", f"data.photos={made_data / 'photos'}"]
    return [*places, *SMALL]


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    train(load_config("sriqa_lite", settings), folder, torch.device("cpu"))
    return folder


def test_what_is_held_out_is_not_trained_on(settings):
    data = read_data(load_config("sriqa_lite", settings))
    assert data.train.methods == ("sharp", "dull")
    assert len(data.held_contents) == 2
    assert set(data.held_contents).isdisjoint(data.train.contents)
    assert {method for method, _ in data.train.paths} == {"sharp", "dull"}
    assert {content for _, content in data.train.paths} == set(data.train.contents)
    assert set(data.photos).isdisjoint(data.held_photos)
    assert len(data.photos) + len(data.held_photos) == 6


def test_a_run_leaves_weights_that_score(run, picture):
    metric = sriqa.load("sriqa_lite", weights=run / "weights.safetensors")
    assert isinstance(metric.score(picture), float)
    description = read_file(run / "weights.safetensors")[1]
    assert description["training_data"]["methods"] == ["sharp", "dull"]
    assert len(description["training_data"]["sr_sha256"]) == 64


def test_a_run_tells_its_settings_losses_and_figures(run):
    assert json.loads((run / "config.json").read_text())["quality_model"]["steps"] == 2
    with (run / "log.csv").open() as stream:
        stages = {row["stage"] for row in csv.DictReader(stream)}
    assert stages == {"prior", "fine-tune", "rectifier"}
    figures = json.loads((run / "report.json").read_text())["figures"]
    assert list(figures) == ["prior", "rectifier only", "fine-tuned", "both"]
    assert figures["prior"]["severity"] > 0.7
    assert {"srcc", "unseen_pairs", "trace"} <= set(figures["both"])


def test_figures_of_runs_become_a_table(run, tmp_path):
    write_table([run], tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text()
    assert "Methods left out: soft" in text
    assert text.count("\n| ") == 5
    with pytest.raises(SriqaError, match="no finished run"):
        write_table([tmp_path], tmp_path / "table.md")


def test_a_finished_run_is_not_overwritten(run, settings, tmp_path):
    for folder, given in ((run, settings), (run, [*settings, "seed=1"])):
        with pytest.raises(SriqaError, match=r"give (the run|this one) a new folder"):
            train(load_config("sriqa_lite", given), folder, torch.device("cpu"))
    (tmp_path / "something").touch()
    with pytest.raises(SriqaError, match="is not empty"):
        train(load_config("sriqa_lite", settings), tmp_path, torch.device("cpu"))


def test_a_stopped_run_goes_on_to_the_same_weights(run, settings, tmp_path):
    for name in ("config.json", "prior.safetensors", "fine-tuned.safetensors"):
        shutil.copy(run / name, tmp_path / name)
    train(load_config("sriqa_lite", settings), tmp_path, torch.device("cpu"))
    name = "weights.safetensors"
    assert (tmp_path / name).read_bytes() == (run / name).read_bytes()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("validation.contents=6", "validation.contents is 6; there are 6"),
        ("validation.photos=0", "validation.photos is 0; there are 6"),
        ('validation.methods=["vague"]', r"\['vague'\] are not among \['sharp'"),
        ('data.photos=""', "data.sr and data.photos are not set"),
    ],
)
def test_splits_that_cannot_be_are_told(override, message, settings):
    with pytest.raises(SriqaError, match=message):
        read_data(load_config("sriqa_lite", [*settings, override]))
