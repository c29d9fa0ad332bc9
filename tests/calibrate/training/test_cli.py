"""Commands that train, as they are typed."""

import hashlib
import json
import re
import shutil

import pytest
from typer.testing import CliRunner

from sriqa_metric.calibrate.cli import app
from sriqa_metric.calibrate.features import store as feature_store
from sriqa_metric.crops import CropPolicy
from sriqa_metric.weights.header import read_description
from tests.random_weights import save_random


def run_cli(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def labels(made_data, tmp_path_factory):
    """A set with MOS of six images."""
    folder = tmp_path_factory.mktemp("labels")
    rows = [f"{made_data / 'photos' / str(index)}.png,{index}" for index in range(6)]
    (folder / "labels.csv").write_text("\n".join(["path,mos", *rows, ""]))
    return folder


def settings(made_data, *overrides):
    """`--set` for six contents of three methods."""
    values = [f"data.sr={made_data / 'sr'}", "validation.contents=2", *overrides]
    return [word for value in values for word in ("--set", value)]


def test_features_are_those_that_train_reads(made_data, labels, tmp_path):
    weights = save_random("sriqa_lite", tmp_path, CropPolicy(number=1))
    store = tmp_path / "store"
    given = ["sriqa_lite", "--base", weights]
    sets = settings(made_data, f'data.labelled=["mos={labels}"]', "rectifier.draws=1")
    command = ["features", *given, *sets, "--store", store, "--batch-size", 5]
    first, second = run_cli(*command), run_cli(*command)
    assert first.exit_code == 0, first.output
    images = 3 * 4 + 6  # of the contents that are trained on, and the labelled ones
    size = images * 2 * 1024 * 4
    told = rf": {images} images, {images} new, [\d.]+ s, [\d.]+ images/s, (\d+) bytes"
    assert size < int(re.search(told, first.stdout)[1]) < size + 10_000
    assert f": {images} images, 0 new, " in second.stdout
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    (cached,) = store.iterdir()
    assert cached.name.startswith(f"sha256-{digest}-")
    before = {path.name for path in cached.iterdir()}
    short = [*sets, "--set", "rectifier.epochs=1", "--set", f"data.features={store}"]
    trained = run_cli("train", *given, *short, "--output", tmp_path / "run")
    assert trained.exit_code == 0, trained.output
    assert [path.name for path in store.iterdir()] == [cached.name]
    assert {path.name for path in cached.iterdir()} == before
    assert not (tmp_path / "run" / "features").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"data.sr is not set; add --set data.sr=DIR"),
        (["--set", "data.sr=nowhere"], r"nowhere.*ranking.csv: No such file"),
        (["--set", "rectifier.draw=1"], r"unknown setting rectifier.draw; known: .*draws"),
        (["--base", "nothing"], r"'nothing' is neither a weights file nor one of the metrics"),
        (["--base", "sriqa_lite", "--set", "rectifier.draws=-1"], "draws is -1; it must be 0"),
    ],
)
def test_what_features_cannot_use_is_told(arguments, message, made_data, tmp_path):
    sets = [] if not arguments or arguments[-1] == "data.sr=nowhere" else settings(made_data)
    done = run_cli("features", "sriqa_lite", "--store", tmp_path, *sets, *arguments)
    assert done.exit_code == 2
    assert re.search(message, done.stderr)


def test_a_base_of_another_metric_is_refused(made_data, tmp_path):
    done = run_cli(
        *("features", "sriqa_clip", "--store", tmp_path, "--base", "sriqa_lite"),
        *settings(made_data),
    )
    assert done.stderr == "sriqa-calibrate: base: sriqa_lite is sriqa_lite, not sriqa_clip\n"


@pytest.fixture
def incomplete(made_data, tmp_path):
    """The made results, of which one method lacks a content; and a test set of one content."""
    shutil.copytree(made_data / "sr", tmp_path / "sr")
    (tmp_path / "sr" / "soft" / "c4.png").unlink()
    (tmp_path / "test").mkdir()
    shutil.copy(made_data / "sr" / "sharp" / "c1.png", tmp_path / "test" / "c1_x4.png")
    return tmp_path


KEPT_OUT = ("--skip-incomplete", "--holdout-methods", "soft")


def test_options_keep_contents_and_methods_out(incomplete, tmp_path):
    weights = save_random("sriqa_lite", tmp_path, CropPolicy(number=1))
    sr, run = tmp_path / "sr", tmp_path / "run"
    given = ["adapt", "--base", weights, "--sr", sr, "--ranking", sr / "ranking.csv"]
    refused = run_cli(*given, "--output", run)
    assert "1 are missing: soft/c4; --skip-incomplete" in refused.stderr
    done = run_cli(*given, "--output", run, *KEPT_OUT, "--exclude", tmp_path / "test")
    assert done.exit_code == 0, done.output
    report = json.loads((run / "report.json").read_text())
    assert report["held_methods"] == ["soft"]
    told = read_description(run / "weights.safetensors")["training_data"]
    assert told["methods"] == ["sharp", "dull"]
    assert told["sr_results"] == "2 methods x 3"  # of six, one incomplete, one tested, one held out
    config = json.loads((run / "config.json").read_text())
    assert config["data"]["exclude"] == [str(tmp_path / "test")]
    sets = ["--set", f"data.sr={sr}", "--set", "validation.contents=1"]
    cached = run_cli(
        *("features", "sriqa_lite", "--base", weights, "--store", tmp_path / "store"),
        *(*sets, *KEPT_OUT, "--exclude", tmp_path / "test"),
    )
    assert ": 6 images, 6 new, " in cached.stdout


@pytest.mark.answers(
    "Training runs",
    "`RANK=1` left over in the environment",
    "error, exit status 2; nothing written",
)
def test_half_a_launcher_is_told(made_data, tmp_path, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("RANK", "1")
    given = settings(made_data, f'data.labelled=["mos={made_data / "rated"}"]')
    found = run_cli("train-quality-model", "sriqa_lite", "-o", tmp_path / "run", *given)
    assert found.exit_code == 2
    assert "the environment has RANK=1, no WORLD_SIZE" in found.stderr
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.answers(
    "Training runs", "`features` under a launcher", "each process tells and computes its part"
)
def test_features_of_several_processes(made_data, tmp_path, monkeypatch):
    weights = save_random("sriqa_lite", tmp_path, CropPolicy(number=1))
    command = ["features", "sriqa_lite", "--base", weights, "--store", tmp_path / "store"]
    command += settings(made_data, "rectifier.draws=0")
    monkeypatch.setattr(feature_store, "_SHARD", 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    told = []
    for rank in "01":
        monkeypatch.setenv("RANK", rank)
        done = run_cli(*command)
        assert done.exit_code == 0, done.output
        told.append(re.search(r": part (. of 2: 12 images, \d+ new), ", done.stdout)[1])
    assert told == ["0 of 2: 12 images, 8 new", "1 of 2: 12 images, 4 new"]
    refused = run_cli("train", "sriqa_lite", *command[2:4], "-o", tmp_path / "run", *command[6:])
    assert refused.exit_code == 2
    assert "stage 2 is trained by one process" in refused.stderr
