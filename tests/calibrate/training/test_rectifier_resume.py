"""A training of the rectifier goes on where it was stopped."""

import csv

import pytest

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.errors import SriqaError
from sriqa_metric.models.rectifier import Rectifier
from tests.calibrate.training.rectifier_world import WIDTH, Biased, Spy, same, train

answers = pytest.mark.answers
RUNS = "Training runs"


class Stopping(RunFolder):
    """Stops in the middle of its nth call."""

    def __init__(self, path, calls):
        super().__init__(path, {})
        self.left = calls

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def log(self, stage, step, losses):
        super().log(stage, step, losses)
        self._count()

    def save(self, stage, step, state):
        self._count()
        super().save(stage, step, state)


def rows(path):
    with (path / "log.csv").open(newline="") as stream:
        return [row[1:] for row in csv.reader(stream)]


@answers(
    RUNS,
    "Ctrl-C at any moment, then the same command",
    "ends at the same bits as without the stop",
)
def test_stopped_anywhere_it_ends_at_the_same_bits(drawn, tmp_path):
    settings = {"contents": 3, "epochs": 4, "labelled_batch": 4, "validate_every": 5, "lr": 0.01}
    with RunFolder(tmp_path / "whole", {}) as folder:
        whole = train(drawn, folder, **settings)
    for calls in range(8):  # 4 validations, each logged and saved
        path = tmp_path / str(calls)
        with pytest.raises(KeyboardInterrupt), Stopping(path, calls) as folder:
            train(drawn, folder, **settings)
        with RunFolder(path, {}) as folder:
            assert same(train(drawn, folder, **settings), whole)
        assert rows(path) == rows(tmp_path / "whole")


def test_a_finished_training_is_not_done_again(drawn, tmp_path):
    with RunFolder(tmp_path / "run", {}) as folder:
        first, model = train(drawn, folder, epochs=2), Spy()
        again = train(drawn, folder, model=model, epochs=2)
    assert same(first, again)
    assert not again.training
    assert len(model.seen) == 1  # the held-out codes
    assert len(rows(tmp_path / "run")) == len({tuple(row) for row in rows(tmp_path / "run")})


@answers(
    RUNS,
    "a run stopped on a GPU, gone on with on a CPU",
    "error: go on there, or a new folder",
)
def test_a_training_of_another_kind_of_device_is_not_gone_on_with(drawn, tmp_path):
    with RunFolder(tmp_path, {}) as folder:
        train(drawn, folder, epochs=1)
        step, state = folder.resume("rectifier")
        state["generators"] *= 2  # CUDA has one of its own
        folder.save("rectifier", step, state)
        with pytest.raises(SriqaError, match="started on another kind of device than cpu"):
            train(drawn, folder, epochs=1)


def test_trainings_of_several_names_share_a_folder(drawn, tmp_path):
    with RunFolder(tmp_path / "run", {}) as folder:
        for stage in ("one", "two"):
            config = RectifierConfig(epochs=1)
            train_rectifier(Rectifier(WIDTH), Biased(), drawn, config, 0, folder, stage)
    assert {row[0] for row in rows(tmp_path / "run")[1:]} == {"one", "two"}
