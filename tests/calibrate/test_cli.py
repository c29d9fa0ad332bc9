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
def test_an_output_that_cannot_be_is_one_line(command, tmp_path):
    for target in (tmp_path, tmp_path / "none" / "x.png"):
        found = run(*OUTPUTS[command], target)
        assert (found.exit_code, found.stdout) == (2, "")
        assert found.stderr.startswith(f"sriqa-calibrate: {target}: ")
        assert found.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_output_is_no_input(tmp_path):
    file = tmp_path / "input"
    file.write_text("input")
    for arguments in (
        ("rank", file, "--plot", file),
        ("evaluate", "--dataset", "mos=none", "--scores", file, "-o", file),
        ("votes", file, "-o", file),
        ("export", "none", "--license", "MIT", "--notes", file, "-o", file),
    ):
        found = run(*arguments)
        assert found.exit_code == 2
        assert found.stderr.startswith(f"sriqa-calibrate: {file}: ")
    assert file.read_text() == "input"


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
