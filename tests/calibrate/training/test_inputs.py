"""Every input of a run is told apart by its contents."""

import os
import shutil

import pytest
from PIL import Image

from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.data.splits import read_data
from sriqa_metric.calibrate.training.inputs import run_inputs

answers = pytest.mark.answers
RUNS = "Training runs"


@pytest.fixture
def root(made_data, tmp_path):
    return shutil.copytree(made_data, tmp_path / "data")


def inputs_of(root, base="sha256:0", *more):
    settings = [*more, f"data.sr={root / 'sr'}", f"data.photos={root / 'photos'}"]
    settings += [f'data.labelled=["mos={root / "rated"}"]', "validation.contents=2"]
    config = load_config("sriqa_lite", [*settings, "validation.photos=2", "base=mine"])
    return run_inputs(config, read_data(config), base)


def changed(before, after):
    return [name for name in before if before[name] != after[name]]


@answers(RUNS, "a ranking edited between kill and resume", "error that names it")
def test_a_ranking(root):
    before, file = inputs_of(root), root / "sr" / "ranking.csv"
    file.write_text(file.read_text() + "\n")
    assert changed(before, inputs_of(root)) == [str(file)]


def test_further_results(root):
    more = shutil.copytree(root / "sr", root / "more")
    setting = f'data.more_sr=["{more}"]'
    before = inputs_of(root, "sha256:0", setting)
    ranking, image = more / "ranking.csv", more / "sharp" / "c0.png"
    ranking.write_text(ranking.read_text() + "\n")
    assert changed(before, inputs_of(root, "sha256:0", setting)) == [str(ranking)]
    assert {str(image), str(more / "dull" / "c5.png")} & set(before)


@answers(RUNS, "MOS edited between kill and resume", "error that names the set")
def test_labels(root):
    before, file = inputs_of(root), root / "rated" / "labels.csv"
    file.write_text(file.read_text().replace("9.5", "9.4", 1))
    assert changed(before, inputs_of(root)) == ["labels of rated"]


@answers(RUNS, "an image replaced by one of the same size and date", "error that names it")
@pytest.mark.parametrize("place", ["sr/sharp/c0.png", "photos/0.png", "rated/3.png"])
def test_images(root, place):
    file = root / place
    image = Image.open(file).convert("RGB")
    image.save(file.with_suffix(".bmp"))
    file.with_suffix(".bmp").replace(file)  # a size that does not depend on the pixels
    before, date = inputs_of(root), file.stat().st_mtime_ns
    image.putpixel((5, 5), tuple(255 - value for value in image.getpixel((5, 5))))
    image.save(file.with_suffix(".bmp"))
    os.utime(file.with_suffix(".bmp"), ns=(date, date))
    file.with_suffix(".bmp").replace(file)
    assert changed(before, inputs_of(root)) == [str(file)]


@answers(RUNS, "another base of the same name", "error that names it")
def test_the_base(root):
    assert changed(inputs_of(root), inputs_of(root, "sha256:1")) == ["base mine"]
