import copy
import csv
import multiprocessing
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sriqa_metric.calibrate.statistics import srcc
from sriqa_metric.calibrate.training import label_training
from sriqa_metric.calibrate.training.crop_batches import CropBatches, Sources
from sriqa_metric.calibrate.training.label_steps import CropScorer, learning_rate
from sriqa_metric.calibrate.training.label_training import train_on_labels
from sriqa_metric.calibrate.training.losses import labelled_loss
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.crops import CropPolicy
from sriqa_metric.metric import CalibratedMetric
from tests.calibrate.planted import SMALL, planted, tiny

answers = pytest.mark.answers
RUNS = "Training runs"
CONFIG = replace(SMALL, epochs=4, batch=2, crops=1, period=3)


def run(path):
    """A whole training in a process of its own; keeps the weights that it ends with."""
    torch.set_num_threads(1)
    label_training._SAVE_EVERY = 3
    sets = [planted(path.parent, "one", 11), planted(path.parent, "two", 6)]
    validation = Sources((planted(path.parent, "held", 4),))
    model = tiny()
    with RunFolder(path, {}) as folder:
        train_on_labels(
            model, Sources(tuple(sets)), validation, CONFIG, 5, folder, torch.device("cpu")
        )
    torch.save(model.state_dict(), path / "weights")


def log_of(path):
    """All of the log but the seconds."""
    with (path / "log.csv").open(newline="") as stream:
        return [row[1:] for row in csv.reader(stream)]


def lines_of(path):
    file = path / "log.csv"
    return file.read_bytes().count(b"\n") if file.exists() else 0


@answers(
    RUNS,
    "stage 1 killed at any moment",
    "ends at the same weights and log as without the kill",
)
@pytest.mark.skipif(sys.platform == "win32", reason="no fork server")
def test_a_training_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path):
    # A server that has imported everything once forks the processes.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "torch._dynamo"])
    whole = context.Process(target=run, args=(tmp_path / "whole",))
    whole.start()
    whole.join()
    expected = log_of(tmp_path / "whole")
    moments, kills, reached = random.Random(0), 0, set()
    stopped = tmp_path / "stopped"
    while not (stopped / "weights").exists():
        process = context.Process(target=run, args=(stopped,))
        before = lines_of(stopped)
        process.start()
        # Within six steps, at whatever it is doing some milliseconds after.
        goal = before + moments.randrange(18)
        while process.is_alive() and lines_of(stopped) <= goal:
            time.sleep(1e-3)
        time.sleep(moments.random() * 0.02)
        if process.is_alive():
            process.kill()
            kills += 1
        process.join()
        reached.add(lines_of(stopped))
        assert kills < 40
    assert kills >= 3
    assert len(reached) >= 3
    assert log_of(stopped) == expected
    one, other = (torch.load(tmp_path / name / "weights") for name in ("whole", "stopped"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["conv.weight"], tiny().conv.weight)


def test_a_finished_training_is_not_done_again(tmp_path, monkeypatch):
    sets = [planted(tmp_path, "one", 4)]
    models = [tiny(), tiny()]
    with RunFolder(tmp_path / "run", {}) as folder:
        for model in models:
            train_on_labels(
                model,
                Sources(tuple(sets)),
                Sources(tuple(sets)),
                CONFIG,
                0,
                folder,
                torch.device("cpu"),
            )
            monkeypatch.setattr(label_training.LabelTraining, "step", None)
    assert torch.equal(models[0].conv.weight, models[1].conv.weight)


WORKER = """
import os, sys
from pathlib import Path
from contextlib import nullcontext
import torch
from sriqa_metric.calibrate.training import label_training
from sriqa_metric.calibrate.training.run_folder import RunFolder
from tests.calibrate.training.test_kill_label_training import several, planted, tiny

path, stop = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
label_training._SAVE_EVERY = 1
step = label_training.LabelTraining.step

def stopping(training, number, batch):
    if number == stop:
        os.kill(os.getpid(), 9)
    return step(training, number, batch)

label_training.LabelTraining.step = stopping
model = tiny(dropout=0)
first = label_training.first_process()
with RunFolder(path / "run", {}) if first else nullcontext() as folder:
    label_training.train_on_labels(
        model, *several(path), folder=folder, device=torch.device("cpu")
    )
torch.save(model.state_dict(), path / ("weights" + os.environ["RANK"]))
"""


def several(path):
    """Sets, validation, settings and seed of the training by two processes."""
    sets = [planted(path, "one", 13), planted(path, "two", 6)]
    return (
        Sources(tuple(sets)),
        Sources((planted(path, "held", 5),)),
        replace(SMALL, epochs=2, crops=1, batch=3),
        7,
    )


@pytest.mark.slow
def test_two_processes_step_by_the_mean_of_their_gradients_and_go_on_after_a_kill(tmp_path):
    pytest.importorskip("accelerate")
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    several(tmp_path)  # the images, before two processes would write them
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", str(script), str(tmp_path)]
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    for stop, succeeds in ((3, False), (0, True)):
        done = subprocess.run(
            [*command, str(stop)], env=environment, capture_output=True, text=True
        )
        assert (done.returncode == 0) == succeeds, done.stderr
    sources, validation, config, seed = several(tmp_path)
    sets = sources.labelled

    model = tiny(dropout=0).train().requires_grad_()
    scorer = CropScorer(model, config)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=config.weight_decay)
    both = [CropBatches(sources, config, seed, 224, process, 2) for process in (0, 1)]
    assert both[0].steps_per_epoch == 2
    streams = [batches.stream(range(1, 5), workers=1) for batches in both]
    states, values = [copy.deepcopy(model.state_dict())], []
    for step, batches in enumerate(zip(*streams, strict=True), start=1):
        optimizer.param_groups[0]["lr"] = learning_rate(step, 2 * config.period, config.lr)
        optimizer.zero_grad()
        for batch in batches:
            flat = torch.from_numpy(batch.images[:, 0]).permute(0, 3, 1, 2) / 255
            scores = scorer(flat, [1] * len(flat))  # a crop each
            for labelled, rows, part in zip(sets, batch.rows, scores.split(3), strict=True):
                loss = labelled_loss(part, torch.from_numpy(labelled.mos[rows]).float())
                (loss / 2).backward(retain_graph=True)
        optimizer.step()
        if step % 2 == 0:
            states.append(copy.deepcopy(model.state_dict()))
    for state in states:
        model.load_state_dict(state)
        judged = CalibratedMetric("tiny", copy.deepcopy(model), None, CropPolicy())
        scores = np.array(judged.score(list(validation.labelled[0].paths)))
        values.append(srcc(scores, validation.labelled[0].mos))
    best = states[int(np.argmax(values))]
    logged = [float(row[3]) for row in log_of(tmp_path / "run") if row[2] == "validation"]
    assert logged == pytest.approx(values, abs=1e-5)
    for rank in "01":
        found = torch.load(tmp_path / f"weights{rank}")
        for name, tensor in found.items():
            assert torch.allclose(tensor, best[name], atol=1e-5)
    kept = torch.load(tmp_path / "run" / "labels.checkpoint", weights_only=True)["state"]["model"]
    for name, tensor in states[-1].items():
        assert torch.allclose(kept[name], tensor, atol=1e-5)
    assert [row[1] for row in log_of(tmp_path / "run") if row[2] == "one"] == ["1", "2", "3", "4"]
