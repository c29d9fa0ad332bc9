"""`sriqa-calibrate`: what cannot be written is told before anything is read."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from sriqa_metric.calibrate.cli import app

OUTPUTS = {
    "rank": ("rank", "none.csv", "--plot"),
    "evaluate": ("evaluate", "--dataset", "mos=none", "--metric", "none", "-o"),
    "votes": ("votes", "none.sqlite", "-o"),
    "export": ("export", "none", "--license", "MIT", "-o"),
}


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", OUTPUTS)
@pytest.mark.answers(
    "Outputs",
    "an output of `sriqa-calibrate` that is a folder, or whose folder is missing",
    "one line before anything is read, exit status 2",
)
def test_an_output_that_cannot_be_is_one_line(command, tmp_path):
    for target in (tmp_path, tmp_path / "none" / "x.png"):
        found = run(*OUTPUTS[command], target)
        assert (found.exit_code, found.stdout) == (2, "")
        assert found.stderr.startswith(f"sriqa-calibrate: {target}: ")
        assert found.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.answers(
    "Outputs",
    "an output of `sriqa-calibrate` onto votes, labels, scores, notes or a file of the run",
    "error: give another name; the file stays as it is",
)
def test_an_output_is_no_input(tmp_path):
    file = tmp_path / "input"
    file.write_text("input")
    for arguments in (
        ("rank", file, "--plot", file),
        ("evaluate", "--dataset", "mos=none", "--scores", file, "-o", file),
        ("evaluate", "--dataset", "mos=none", "--contents", file, "-o", file),
        ("evaluate", "--dataset", "mos=none", "--cache", file, "-o", file),
        ("evaluate", "--dataset", "mos=none", "--metric", f"x,{file}", "-o", file),
        ("evaluate", "--dataset", f"mos={tmp_path}", "-o", file),
        ("export", tmp_path, "--license", "MIT", "-o", file),
        ("export", "none", "--license", "MIT", "--evaluation", file, "-o", file),
        ("export", "none", "--license", "MIT", "--reference", tmp_path, "-o", file),
        ("votes", file, "-o", file),
        ("export", "none", "--license", "MIT", "--notes", file, "-o", file),
    ):
        found = run(*arguments)
        assert found.exit_code == 2
        assert found.stderr.startswith(f"sriqa-calibrate: {file}: ")
    assert file.read_text() == "input"


@pytest.mark.answers(
    "Outputs", "a picture of `rank --plot` with an unknown ending", "error before anything is read"
)
def test_a_plot_that_could_not_be_drawn_is_told_before_the_votes_are_read(tmp_path):
    found = run("rank", tmp_path / "none.csv", "--plot", tmp_path / "x.docx")
    assert (found.exit_code, found.stdout) == (2, "")
    assert "x.docx: must end with one of .png" in found.stderr


@pytest.mark.answers(
    "Outputs", "`select --sheet` onto an image that it reads", "error; the image stays"
)
def test_a_sheet_is_no_image_and_no_folder(made_data, tmp_path):
    results, out = made_data / "sr", tmp_path / "out"
    image = next(results.glob("*/*.png"))
    for sheet in (image, tmp_path / "none" / "x.png"):
        found = run("select", results, "--lr", image.parent, "-o", out, "--sheet", sheet)
        assert (found.exit_code, found.stdout) == (2, "")
        assert found.stderr.splitlines()[-1].startswith(f"sriqa-calibrate: {sheet}: ")


@pytest.mark.answers(
    "Outputs", "a file as `--output` of `train`", "error: give the name of a folder"
)
def test_a_folder_to_write_into_is_no_file(tmp_path):
    (tmp_path / "file").touch()
    given = ("train", "sriqa_lite", "--set", f"data.sr={tmp_path}", "-o", tmp_path / "file")
    found = run(*given)
    assert found.exit_code == 2
    assert found.stderr.startswith(f"sriqa-calibrate: {tmp_path / 'file'}: ")


def test_the_entry_point_tells_a_mistake_in_one_line(tmp_path):
    words = [sys.executable, "-m", "sriqa_metric.calibrate.cli", "rank", tmp_path / "none.csv"]
    found = subprocess.run(words, capture_output=True, text=True)
    assert found.returncode == 1
    assert found.stderr.startswith(f"sriqa-calibrate: {tmp_path / 'none.csv'}: ")
    assert found.stderr.count("\n") == 1


@pytest.mark.answers(
    "Training runs",
    "`adapt` with a folder of results that is not there, `train` without a base",
    "one line: what is missing, and the option that gives it",
)
def test_what_a_run_lacks_is_told(tmp_path):
    ranking = tmp_path / "ranking.csv"
    ranking.write_text("method,mu\na,1\nb,-1\n")
    given = ("adapt", "--base", "sriqa_lite", "--ranking", ranking, "-o", tmp_path / "run")
    found = run(*given, "--sr", tmp_path / "none")
    assert found.exit_code == 2
    told = f"sriqa-calibrate: {tmp_path}/none: no such folder of SR results; check the path\n"
    assert found.stderr == told
    found = run("train", "sriqa_lite", "-o", tmp_path / "run")
    assert found.exit_code == 2
    told = "sriqa-calibrate: base is not set; add --base FILE, or the name of a metric\n"
    assert found.stderr == told
