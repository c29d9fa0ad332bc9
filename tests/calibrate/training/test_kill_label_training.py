import csv
import multiprocessing
import random
import sys
import time
from dataclasses import replace

import pytest
import torch

from sriqa_metric.calibrate.training import label_training
from sriqa_metric.calibrate.training.crop_batches import Sources
from sriqa_metric.calibrate.training.label_training import train_on_labels
from sriqa_metric.calibrate.training.run_folder import RunFolder
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
