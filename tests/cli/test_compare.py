"""`sriqa-compare`: formats, report, exit status."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import typing

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from sriqa_metric.cli.compare import app, compare
from sriqa_metric.compare.output import WRITERS
from tests.conftest import EXAMPLES

CONTENTS = ("coffee", "chelsea")
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
    (comparison,) = document["comparisons"]
    assert comparison["weights"] == lite.weights_id
    assert [one["name"] for one in comparison["methods"]] == ["realesrgan_x4plus", "bicubic"]
    assert comparison["pairs"][0]["wins_a"] == 0
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
        for content in CONTENTS:
            shutil.copy(EXAMPLES / f"{content}_{method}.png", tmp_path / method / f"{content}.png")
    return [tmp_path / "bicubic", tmp_path / "realesrgan_x4plus"]


def test_a_broken_file_is_exit_1_and_named(folders):
    broken = folders[0] / "coffee.png"
    broken.write_bytes(broken.read_bytes()[:500])
    found = run(*folders, "--format", "json")
    assert found.exit_code == 1
    assert str(broken) in found.stderr
    assert json.loads(found.stdout)["comparisons"][0]["pairs"][0]["n"] == 1


def test_the_limit_of_pixels_is_an_option(folders, tmp_path):
    Image.new("RGB", (600, 500)).save(folders[0] / "coffee.png")
    pixels = 600 * 500
    found = run(*folders, "--max-pixels", pixels - 1, "--format", "json")
    assert found.exit_code == 1
    assert (
        "score a part, or raise max_pixels (--max-pixels of sriqa-score, sriqa-compare)\n"
        in found.stderr
    )
    assert json.loads(found.stdout)["comparisons"][0]["pairs"][0]["n"] == 1
    assert run(*folders, "--max-pixels", pixels).exit_code == 0
    found = run(*folders, "--max-pixels", 1)
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.endswith("(--max-pixels of sriqa-score, sriqa-compare)\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*PATTERNS, "--format", "jsonl"], "jsonl"),
        ([*PATTERNS, "--metric", "psnr"], "--gt DIR"),
        ([*PATTERNS, "--metric", "piqe", "--weights", "w.safetensors"], "none of them"),
        ([*PATTERNS, "--metric", ","], "no metric; give --metric NAME"),
        ([*PATTERNS, "--plot", "x.txt"], "x.txt: must end with one of .png"),
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

    monkeypatch.setattr("sriqa_metric.scorers.make.make_scorers", load)
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


def test_a_dry_run_shows_what_is_matched_and_scores_nothing(folders, tmp_path):
    broken = folders[0] / "coffee.png"
    broken.write_bytes(b"")
    (tmp_path / "bicubic" / "alone_x2.png").touch()
    code = "import sys; from sriqa_metric.cli.compare import main\n"
    code += (
        "try: main()\nfinally: print([m for m in ('torch', 'scipy', 'PIL') if m in sys.modules])"
    )
    arguments = [f"cubic={folders[0]}", folders[1], "--dry-run", "--suffix", "_x2", "-o", "none/x"]
    found = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")
    *lines, modules = found.stdout.splitlines()
    assert lines == [
        "2 contents",
        f"  cubic: {folders[0]}, 2 files: chelsea (chelsea.png) to coffee (coffee.png)",
        f"  realesrgan_x4plus: {folders[1]}, 2 files: chelsea (chelsea.png) to coffee (coffee.png)",
        "  left out: alone is not in realesrgan_x4plus",
    ]
    assert modules == "[]"


def test_frames_are_matched_by_clip(tmp_path):
    (tmp_path / "x" / "city").mkdir(parents=True)
    (tmp_path / "x" / "city" / "0.png").touch()
    found = run(tmp_path / "x", "--clips", "--dry-run")
    assert (found.exit_code, found.stdout.splitlines()[0]) == (0, "1 frame of 1 clip")
    found = run(tmp_path / "x", "--suffix", "_x2", "--dry-run")
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.startswith("sriqa-compare: '_x2': no file's name ends with this suffix")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
def test_what_is_matched_is_told_where_somebody_looks(folders):
    master, terminal = os.openpty()
    command = [sys.executable, "-m", "sriqa_metric.cli.compare", *folders, "-o", "none/x"]
    assert subprocess.run(command, stderr=terminal).returncode == 2
    os.close(terminal)
    with open(master, "rb", buffering=0) as stream:
        first, second, *_ = stream.read(10_000).decode().splitlines()
    assert first == "sriqa-compare: 2 methods; 2 contents"
    assert second.startswith("sriqa-compare: none/x: there is no folder none")
    assert run(*folders, "-o", "none/x").stderr == f"{second}\n"


def test_metrics_of_all_kinds_stand_in_one_table(folders, tmp_path):
    pytest.importorskip("pyiqa")
    (tmp_path / "gt").mkdir()
    for content in CONTENTS:
        shutil.copy(EXAMPLES / f"{content}_dat_light_x4.png", tmp_path / "gt" / f"{content}.png")
    scores = tmp_path / "mine.csv"
    lines = [f"{folder.name}/{c}.png,1,mine,false" for folder in folders for c in CONTENTS]
    scores.write_text("\n".join(["path,score,metric,higher_is_better", *lines]))
    words = ["--metric", "sriqa_lite,psnr", "--metric", "psnry,psnr", "--gt", tmp_path / "gt"]
    words += ["--scores", scores, "--plot", tmp_path / "f.svg", "--report", tmp_path / "r.html"]
    found = run(*folders, *words, "--cache", tmp_path / "c.sqlite", "--format", "md")
    assert found.exit_code == 0, found.stderr
    head = found.stdout.splitlines()[0]
    assert head == "| method | sriqa_lite ↑ | psnr ↑ | psnry ↑ | mine ↓ |"
    assert "psnry" in (tmp_path / "r.html").read_text()
    assert "psnry" in (tmp_path / "f.svg").read_text()
    with sqlite3.connect(tmp_path / "c.sqlite") as cache:
        assert cache.execute("SELECT count(*) FROM scores_of_files").fetchone() == (12,)


def test_scores_alone_need_no_metric(folders, tmp_path, monkeypatch):
    def load(*given):
        raise AssertionError("loaded")

    monkeypatch.setattr("sriqa_metric.scorers.make.make_scorer", load)
    scores = tmp_path / "mine.csv"
    lines = [f"{folder.name}/{c}.png,{k}" for k, folder in enumerate(folders) for c in CONTENTS]
    scores.write_text("\n".join(["path,score", *lines]))
    found = run(*folders, "--scores", scores, "--format", "latex", "--intervals")
    assert found.exit_code == 0
    assert r"bicubic & $0.000 \pm 0.000$ \\" in found.stdout
    found = run(*folders, "--scores", scores, "-o", scores)
    assert (found.exit_code, found.stdout) == (2, "")


def test_a_file_that_fails_under_every_metric_is_told_once(folders, tmp_path):
    (folders[0] / "coffee.png").write_bytes(b"")
    found = run(*folders, "--metric", "sriqa_lite,sriqa_lite:uncalibrated", "--format", "csv")
    assert found.exit_code == 1
    assert found.stderr.count("coffee.png: is empty") == 1
    assert found.stderr.endswith("1 of 4 failed\n")
