"""The commands under the launchers that people have, with processes of their own."""

import json
import subprocess
import sys

import pytest

from sriqa_metric.weights.format import read_file

pytest.importorskip("accelerate")
answers = pytest.mark.answers
RUNS = "Training runs"
COMMAND = ("-m", "sriqa_metric.calibrate.cli")
LAUNCHERS = {
    "one process": (),
    # On a machine without GPUs accelerate starts several processes only if it is told so.
    "accelerate": ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    "torchrun": ("-m", "torch.distributed.run", "--nproc_per_node", "2"),
}
SMALL = (
    "validation.contents=2",
    "labels.epochs=2",
    "labels.batch=4",
    "labels.draws=2",
    "labels.crops=1",
    "labels.groups=2",
    "labels.photo_ladders=0",
    "labels.sr_ladders=1",
)


def launch(launcher, *arguments):
    command = [sys.executable, *LAUNCHERS[launcher], *COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture
def sets(made_data):
    values = (f"data.sr={made_data / 'sr'}", f'data.labelled=["mos={made_data / "rated"}"]', *SMALL)
    return [word for value in values for word in ("--set", value)]


@pytest.mark.slow
@answers(
    RUNS,
    "`train-quality-model` by `accelerate launch` or `torchrun`",
    "one run folder, the weights of one process to 1e-5",
)
def test_a_model_trained_under_a_launcher(sets, tmp_path):
    figures, weights = {}, {}
    for launcher in LAUNCHERS:
        run = tmp_path / launcher
        done = launch(launcher, "train-quality-model", "sriqa_lite", "--output", run, *sets)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("SRCC rated") == 1
        figures[launcher] = json.loads((run / "report.json").read_text())["figures"]
        weights[launcher] = read_file(run / "weights.safetensors").tensors
    alone = weights.pop("one process")
    for launcher, tensors in weights.items():
        assert figures[launcher] == {
            name: pytest.approx(each, abs=1e-4) for name, each in figures["one process"].items()
        }
        assert tensors.keys() == alone.keys()
        for name, tensor in tensors.items():
            assert (tensor - alone[name]).abs().max() < 1e-5


@pytest.mark.slow
@answers(RUNS, "`train-quality-model` that fails under a launcher", "its message once")
def test_an_error_under_a_launcher_is_told_once(sets, tmp_path):
    given = [*sets, "--set", "labels.crops=3"]
    done = launch("torchrun", "train-quality-model", "sriqa_lite", "-o", tmp_path / "run", *given)
    assert done.returncode != 0
    assert done.stderr.count("labels.crops is 3, but labels.draws caches 2 of each image") == 1


@pytest.mark.slow
def test_features_under_a_launcher(sets, tmp_path):
    given = [*sets, "--base", "sriqa_lite", "--store", tmp_path / "store"]
    told = []
    for launcher in ("accelerate", "one process"):
        done = launch(launcher, "features", "sriqa_lite", *given, "--set", "rectifier.draws=1")
        assert done.returncode == 0, done.stderr
        told.append(done.stdout)
    parts, whole = told
    assert ": part 0 of 2: " in parts
    assert ": part 1 of 2: " in parts
    assert " 0 new, " in whole
