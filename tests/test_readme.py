"""What the README shows is run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line
    for language, block in BLOCKS
    if language == "bash"
    for line in block.replace("\\\n", " ").splitlines()
    # What installs, needs data from elsewhere or serves for ever is run by hand.
    if line.startswith(("sriqa-score", "sriqa-weights", "python examples/")) and "DIR" not in line
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, tmp_path):
    for name in ("examples", "sriqa_metric"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "examples" / "images" / "coffee_bicubic.png", tmp_path / "img.png")
    scripts = Path(sys.executable).parent
    found = subprocess.run(
        ["bash", "-c", f'PATH="{scripts}:$PATH"; {command}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr


def test_there_are_commands():
    assert len(COMMANDS) >= 4


def test_python_runs(tmp_path, monkeypatch):
    shutil.copy(ROOT / "examples" / "images" / "coffee_bicubic.png", tmp_path / "img.png")
    monkeypatch.chdir(tmp_path)
    blocks = [block for language, block in BLOCKS if language == "python"]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


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
