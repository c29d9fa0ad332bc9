"""Stage 1 by several processes: what one would do, to the rounding of floats."""

import os
import re
import shutil
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import avg_pool2d

from sriqa_metric.calibrate.data.sr_results import read_sr_results
from sriqa_metric.calibrate.features.processes import first_process, launched
from sriqa_metric.calibrate.training import label_training
from sriqa_metric.calibrate.training.code_batches import CodeBatches, CodeStores
from sriqa_metric.calibrate.training.crop_batches import CropBatches, Sources
from sriqa_metric.calibrate.training.label_steps import LabelTraining
from sriqa_metric.calibrate.training.label_training import train_on_labels
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.team import SharedError, find_team
from sriqa_metric.crops import CropPolicy
from sriqa_metric.metric import CalibratedMetric
from tests.calibrate.planted import SMALL, TinyQualityModel, batch_of, planted, tiny
from tests.calibrate.processes import together
from tests.calibrate.training.test_kill_label_training import log_of

pytest.importorskip("accelerate")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork server")
answers = pytest.mark.answers
RUNS = "Training runs"
CPU = torch.device("cpu")

# 8 images with MOS, 2 contents of 3 methods and 3 certain orders: 13 jobs, so that there is a
# remainder for 2 processes and for 4.
FULL = replace(SMALL, contents=2, photo_ladders=2, sr_ladders=1, soft=True, averaging=0.9)
CASES = {
    "full": FULL,
    "checkpointing": replace(FULL, checkpointing=True),
    "bf16": replace(FULL, precision="bf16"),
    "frozen": replace(FULL, frozen=["conv"]),
    "few": replace(SMALL, batch=2),  # of the first set alone: two images for four processes
    "codes": replace(FULL, frozen=["conv"], draws=3),
}


def sources_of(root):
    sets = [planted(root, "one", 11), planted(root, "two", 6)]
    sr = read_sr_results(root / "sr", root / "sr" / "ranking.csv")
    return Sources(tuple(sets), sr, sets[0].paths)


@pytest.fixture(scope="module")
def root(made_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    shutil.copytree(made_data / "sr", folder / "sr")
    sources_of(folder)  # several processes would write the images at once
    planted(folder, "held", 5)
    return folder


class Coarse(TinyQualityModel):
    """Looks at means of squares: sums over whole pictures would round by more than 1e-6."""

    def encode(self, crops):
        assert len(crops)  # CLIP's network refuses nothing at all
        return super().encode(avg_pool2d(crops, crops.shape[-1] // 8))


def one_step(root):
    """Loss and gradients of the first step in every case, into a file."""
    team, (process, processes) = find_team(CPU), launched()
    sources, found = sources_of(root), {}
    for name, config in CASES.items():
        given = (Sources(sources.labelled[:1]) if name == "few" else sources, config, 3)
        if config.draws:
            metric = CalibratedMetric("tiny", tiny(), None, CropPolicy(), "sha256:1")
            stores = CodeStores.of(metric, root / "codes", config.draws, 0)
            batches = CodeBatches(*given, stores, process, processes)
        else:
            batches = CropBatches(*given, 224, process, processes)
        model = Coarse(dropout=0, read_dropout=0.3)
        model.load_state_dict(tiny().state_dict())
        training = LabelTraining(model, batches, config, CPU, team, "labels")
        losses = training.step(1, batch_of(batches))
        gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
        found[name] = losses, gradients
    torch.save(found, root / f"step-{process}-of-{processes}")


@pytest.mark.slow
@answers(
    RUNS,
    "stage 1 by 2 or 4 processes",
    "the batch, the losses and the gradients of one, to 1e-6",
)
def test_losses_and_gradients_are_those_of_one_process(root):
    assert together(1, one_step, root) == [0]  # caches the codes, too
    alone = torch.load(root / "step-0-of-1")
    for number in (2, 4):
        assert together(number, one_step, root) == [0] * number
        for process in range(number):
            found = torch.load(root / f"step-{process}-of-{number}")
            for name, (losses, gradients) in found.items():
                expected, slopes = alone[name]
                # In bf16 the sums of a convolution depend on how many crops there are.
                error = 1e-3 if name == "bf16" else 1e-6
                assert losses == pytest.approx(expected, abs=error)
                assert gradients.keys() == slopes.keys()
                for part, slope in slopes.items():
                    assert slope.abs().max() > 1e-3
                    torch.testing.assert_close(gradients[part], slope, atol=error, rtol=0)


def whole_run(root, place, stop):
    """A training into a folder, killed before a step; and the weights that it ends with."""
    label_training._SAVE_EVERY = 1
    step = LabelTraining.step

    def stopping(training, number, batch):
        if number == stop:
            os.kill(os.getpid(), 9)
        return step(training, number, batch)

    LabelTraining.step = stopping
    model = tiny(dropout=0, read_dropout=0.1)
    validation = Sources((planted(root, "held", 5),), sources_of(root).sr)
    config = replace(FULL, epochs=3, period=2)
    with RunFolder(place, {}) if first_process() else nullcontext() as folder:
        train_on_labels(model, sources_of(root), validation, config, 5, folder, CPU)
    torch.save(model.state_dict(), place / f"weights-{launched()[0]}")


def cached_run(root, place):
    """A training on codes that nobody has cached yet, and the weights that it ends with."""
    model, config = tiny(read_dropout=0.1), replace(FULL, frozen=["conv"], draws=3, epochs=1)
    metric = CalibratedMetric("tiny", tiny(), None, CropPolicy(), "sha256:1")
    validation = Sources((planted(root, "held", 5),), sources_of(root).sr)
    with RunFolder(place, {}) if first_process() else nullcontext() as folder:
        stores = CodeStores.of(metric, place / "codes", config.draws, 0)
        given = (sources_of(root), validation, config, 5, folder, CPU)
        train_on_labels(model, *given, stores=stores)
    torch.save(model.state_dict(), place / f"weights-{launched()[0]}")


@pytest.mark.slow
def test_processes_share_cached_codes(root, tmp_path):
    for number in (1, 2):
        assert together(number, cached_run, root, tmp_path / str(number)) == [0] * number
    require_same(tmp_path / "2", tmp_path / "1")


def require_same(place, other):
    """Log and weights of two runs, to 1e-5."""
    first, *rows = log_of(place)
    assert first == log_of(other)[0]
    for row, expected in zip(rows, log_of(other)[1:], strict=True):
        assert row[:3] == expected[:3]
        assert float(row[3]) == pytest.approx(float(expected[3]), abs=1e-5)
    expected = torch.load(other / "weights-0")
    for file in place.glob("weights-*"):
        for name, tensor in torch.load(file).items():
            torch.testing.assert_close(tensor, expected[name], atol=1e-5, rtol=0)


@pytest.mark.slow
@answers(
    RUNS,
    "stage 1 killed with 2 processes, gone on with by 1 or 4",
    "the log and the weights of one process without a kill, to 1e-5",
)
def test_a_run_goes_on_with_any_number_of_processes(root, tmp_path):
    alone, whole = tmp_path / "alone", tmp_path / "whole"
    assert together(1, whole_run, root, alone, 0) == [0]
    assert together(2, whole_run, root, whole, 0) == [0, 0]
    require_same(whole, alone)
    assert len({row[1] for row in log_of(alone)[1:]}) == 1 + 3 * 2
    stopped = tmp_path / "stopped"
    assert together(2, whole_run, root, stopped, 4) == [-9, -9]
    for number in (1, 4):
        place = shutil.copytree(stopped, tmp_path / f"by-{number}")
        assert together(number, whole_run, root, place, 0) == [0] * number
        require_same(place, alone)


def failing(root, fault):
    """Tells what every process raised."""
    config = replace(FULL, lr=1e34) if fault == "loss" else FULL
    sources = sources_of(root)
    if fault == "image":
        for labelled in sources.labelled:
            labelled.paths[3].write_bytes(b"no image")
    kept = root / f"told-{fault}-{launched()[0]}"
    place = root / f"run-{fault}"
    with RunFolder(place, {}) if first_process() else nullcontext() as folder:
        try:
            held = Sources((planted(root, "held", 5),))
            train_on_labels(tiny(), sources, held, config, 0, folder, CPU)
        except Exception as error:
            kept.write_text(f"{type(error).__name__}: {error}")


@answers(RUNS, "an unreadable image in one of several processes", "all end, with its error")
@pytest.mark.parametrize(
    ("fault", "message"),
    [("image", f"{SharedError.__name__}: .*is not an image"), ("loss", ".*of step 2 is nan")],
)
def test_what_ends_one_process_ends_all(root, fault, message, tmp_path):
    shutil.copytree(root / "sr", tmp_path / "sr")
    sources_of(tmp_path)
    assert together(2, failing, tmp_path, fault) == [0, 0]
    told = [(tmp_path / f"told-{fault}-{process}").read_text() for process in range(2)]
    assert told[0] == told[1]
    assert re.search(message, told[0])
