"""What the README shows is run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sriqa_metric.cli import compare, score, weights
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line
    for language, block in BLOCKS
    if language == "bash"
    for line in block.replace("\\\n", " ").splitlines()
    # What needs data from elsewhere or serves for ever is run by hand; examples are in a test of
    # their own.
    if re.match(r"(ls .*\| )?sriqa-(score|compare|weights) ", line) and "DIR" not in line
]
APPS = {"sriqa-score": score.app, "sriqa-compare": compare.app, "sriqa-weights": weights.app}


@pytest.fixture
def newcomers_folder(tmp_path, monkeypatch):
    """The current folder: a checkout's, and a picture."""
    for name in ("examples", "sriqa_metric"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "examples" / "images" / "coffee_bicubic.png", tmp_path / "img.png")
    monkeypatch.chdir(tmp_path)
    made = "python examples/make_results.py results"
    assert made in README
    subprocess.run([sys.executable, *made.split()[1:]], check=True, capture_output=True)
    return tmp_path


@pytest.mark.parametrize("command", [line for line in COMMANDS if "|" not in line])
def test_commands_run(command, newcomers_folder):
    name, *words = shlex.split(command, comments=True)
    found = CliRunner().invoke(APPS[name], words)
    assert found.exit_code == 0, found.output


def test_a_command_runs_in_a_shell(newcomers_folder):
    (command,) = [line for line in COMMANDS if "|" in line]
    scripts = Path(sys.executable).parent
    found = subprocess.run(
        ["bash", "-c", f'PATH="{scripts}:$PATH"; {command}'], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr


def test_there_are_commands():
    assert len(COMMANDS) >= 4


def test_python_runs(newcomers_folder):
    blocks = [block for language, block in BLOCKS if language == "python"]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_the_table_of_a_paper_is_that_shown(newcomers_folder):
    (command,) = [line for line in COMMANDS if "--gt" in line]
    words = shlex.split(command)
    words = [*words[1 : words.index("--format")], "--format", "md"]
    found = CliRunner().invoke(compare.app, words)
    rows = [line for line in found.stdout.splitlines() if line.startswith("| ")][:4]
    assert len(rows) == 4
    for row in rows:
        assert row in README


def test_scores_of_the_examples_are_those_shown(lite):
    rows = re.findall(r"^\| (\w+) \| ([-\d.]+) \| ([-\d.]+) \| ([-\d.]+) \|$", README, flags=re.M)
    assert {row[0] for row in rows} == {"astronaut", "chelsea", "coffee"}
    for content, *shown in rows:
        methods = ("bicubic", "dat_light_x4", "realesrgan_x4plus")
        paths = [ROOT / "examples" / "images" / f"{content}_{method}.png" for method in methods]
        assert lite.score(paths) == pytest.approx([float(text) for text in shown], abs=0.006)


def test_real_esrgan_stands_above_bicubic(lite):
    for content in ("astronaut", "chelsea", "coffee"):
        images = ROOT / "examples" / "images"
        low, middle, high = lite.score(
            [
                images / f"{content}_{method}.png"
                for method in ("bicubic", "dat_light_x4", "realesrgan_x4plus")
            ]
        )
        assert low < high
        assert middle > low


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
