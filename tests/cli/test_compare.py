"""`sriqa-compare`: formats, report, exit status."""

import json
import os
import shutil
import typing

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from sriqa_metric.cli.compare import app, compare
from sriqa_metric.compare.output import WRITERS
from tests.conftest import EXAMPLES

PATTERNS = [str(EXAMPLES / f"*_{method}.png") for method in ("bicubic", "realesrgan_x4plus")]


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_format_is_offered():
    assert set(typing.get_args(typing.get_type_hints(compare)["format"])) == set(WRITERS)


def test_threads_are_those_asked_for(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", (asked := []).append)
    assert run(*PATTERNS, "--threads", "1", "--format", "json").exit_code == 0
    assert asked == [1]


def test_it_writes_a_document_a_table_and_a_report(tmp_path, lite):
    report = tmp_path / "report.html"
    found = run(*PATTERNS, "--format", "json", "--report", report)
    assert found.exit_code == 0
    document = json.loads(found.stdout)
    assert document["weights"] == lite.weights_id
    assert [method["name"] for method in document["methods"]] == ["realesrgan_x4plus", "bicubic"]
    assert document["pairs"][0]["wins_a"] == 0
    page = report.read_text()
    assert "sriqa-compare" in page
    assert lite.weights_id in page
    output = tmp_path / "table.tex"
    assert run(*PATTERNS, "--format", "latex", "-o", output).exit_code == 0
    assert r"\begin{tabular}" in output.read_text()


@pytest.fixture
def folders(tmp_path):
    """Two methods' results on two contents."""
    for method in ("bicubic", "realesrgan_x4plus"):
        (tmp_path / method).mkdir()
        for content in ("coffee", "chelsea"):
            shutil.copy(EXAMPLES / f"{content}_{method}.png", tmp_path / method / f"{content}.png")
    return [tmp_path / "bicubic", tmp_path / "realesrgan_x4plus"]


def test_a_broken_file_is_exit_1_and_named(folders):
    broken = folders[0] / "coffee.png"
    broken.write_bytes(broken.read_bytes()[:500])
    found = run(*folders, "--format", "json")
    assert found.exit_code == 1
    assert str(broken) in found.stderr
    assert json.loads(found.stdout)["pairs"][0]["n"] == 1


def test_the_limit_of_pixels_is_an_option(folders, tmp_path):
    Image.new("RGB", (600, 500)).save(folders[0] / "coffee.png")
    pixels = 600 * 500
    found = run(*folders, "--max-pixels", pixels - 1, "--format", "json")
    assert found.exit_code == 1
    assert (
        "score a part, or raise max_pixels (--max-pixels of sriqa-score, sriqa-compare)\n"
        in found.stderr
    )
    assert json.loads(found.stdout)["pairs"][0]["n"] == 1
    assert run(*folders, "--max-pixels", pixels).exit_code == 0
    found = run(*folders, "--max-pixels", 1)
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.endswith("(--max-pixels of sriqa-score, sriqa-compare)\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([PATTERNS[0]], "two"),
        ([*PATTERNS, "--format", "jsonl"], "jsonl"),
        ([*PATTERNS, "--report", "none/x.html"], "none/x.html"),
        ([*PATTERNS, "--output", "none/x.md"], "none/x.md"),
        (["missing_a", "missing_b"], "missing_a"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_is_exit_2(arguments, message):
    found = run(*arguments)
    assert found.exit_code == 2
    assert message in " ".join(found.stderr.replace("│", "").split())
    assert found.stdout == ""


@pytest.mark.answers(
    "Outputs", "`sriqa-compare -o /dev/full`, or `--report /dev/full`", "one line, exit status 2"
)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("option", ["-o", "--report"])
def test_an_output_without_room_is_one_line(folders, option):
    found = run(*folders, option, "/dev/full")
    assert found.exit_code == 2
    assert found.stderr == "sriqa-compare: /dev/full: cannot be written: No space left on device\n"


@pytest.mark.answers(
    "Outputs",
    "`sriqa-compare -o` or `--report` onto an image of a method, also one that no other method has",
    "error before the network is loaded; the image stays",
)
def test_an_output_is_no_input(folders, tmp_path, monkeypatch):
    def load(*given):
        raise AssertionError("loaded")

    monkeypatch.setattr("sriqa_metric.weights.load.load", load)
    image = folders[1] / "coffee.png"
    before = image.read_bytes()
    alone = shutil.copy(image, folders[1] / "alone.png")
    for options in (
        *(("-o", image), ("--report", image), ("-o", "x", "--report", "x")),
        *(("-o", alone), ("-o", tmp_path), ("--report", tmp_path)),
    ):
        found = run(*folders, *options)
        assert (found.exit_code, found.stdout) == (2, "")
        assert found.stderr.startswith(f"sriqa-compare: {options[-1]}: ")
    assert image.read_bytes() == before
