"""A training killed at random moments ends at the same bits as one that was left alone."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
import torch

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from sriqa_metric.models.rectifier import Rectifier

answers = pytest.mark.answers
RUNS = "Training runs"
WIDTH = 8
WANTED_KILLS = 3


class Reader:
    """Reads quality from the first number of a code."""

    feature_dim = WIDTH
    crops_per_pass = 5

    def read(self, codes):
        return codes[:, 0], codes


def train(folder: Path, epochs: int = 10) -> None:
    """A training with draws, labels and ladders; its end is written beside the folder."""
    torch.manual_seed(0)
    data = StageTwoData(
        results=torch.randn(4, 50, 3, WIDTH),
        mu=torch.arange(4.0),
        held_out=torch.randn(4, 5, WIDTH),
        labelled=((torch.randn(30, 3, WIDTH), torch.rand(30)),),
        ladders=torch.randn(9, 8, WIDTH),
    )
    rectifier = Rectifier(WIDTH)
    config = RectifierConfig(
        epochs=epochs, contents=7, labelled_batch=6, validate_every=4, lr=0.01, ladders=8
    )
    with RunFolder(folder, {}) as run:
        train_rectifier(rectifier, Reader(), data, config, 0, run)
    ends = [parameter.numpy().tobytes() for parameter in rectifier.parameters()]
    folder.with_suffix(".end").write_bytes(b"".join(ends))


def forked(folder: Path) -> int:
    """Train in a process of its own, which has torch already."""
    process = os.fork()
    if process == 0:
        try:
            train(folder)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return process


def main(root: Path) -> None:
    """Train once, then again under fire; prints the number of kills."""
    torch.set_num_threads(1)  # a process with threads cannot be forked
    train(root / "first", epochs=1)  # brings modules that torch imports when they are needed
    start = time.monotonic()
    _, status = os.waitpid(forked(root / "whole"), 0)
    duration = time.monotonic() - start
    kills, patience = 0, duration / 6
    moments = random.Random(0)
    while status == 0:
        process = forked(root / "killed")
        time.sleep(moments.uniform(0, patience))
        os.kill(process, signal.SIGKILL)
        _, ended = os.waitpid(process, 0)
        if not os.WIFSIGNALED(ended):
            status = ended
            break
        kills += 1
        patience *= 1.05  # so that there is an end on a machine that grows slower
    print(kills if status == 0 else -1)


def log(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open(newline="") as stream:
        return [row[1:] for row in csv.reader(stream)]


@answers(
    RUNS,
    "a training of the rectifier killed at any moment",
    "ends at the same bits as without the kill",
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_training_ends_at_the_same_bits(tmp_path):
    words = [sys.executable, __file__, str(tmp_path)]
    printed = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
    assert int(printed.stdout) >= WANTED_KILLS, printed.stderr
    whole, killed = ((tmp_path / f"{name}.end").read_bytes() for name in ("whole", "killed"))
    assert killed == whole
    assert log(tmp_path / "killed") == log(tmp_path / "whole")
    assert len(log(tmp_path / "whole")) == 1 + 1 + 18 * 4  # head, start, validations


if __name__ == "__main__":
    main(Path(sys.argv[1]))
