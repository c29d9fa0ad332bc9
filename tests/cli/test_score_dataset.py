"""`sriqa-score --ray`: what it refuses, and what it tells."""

import sys

import pytest
from typer.testing import CliRunner

from sriqa_metric.cli.score import app


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.mark.answers(
    "Data sets on Ray",
    "`--map`, `--format`, `--batch-size` or `--device` with `--ray`",
    "error that names the option",
)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--map", "m.png"], "--map is not for --ray"),
        (["--batch-size", 3], "--batch-size is not for --ray"),
        (["--format", "csv"], "--format is not for --ray"),
        (["--device", "cpu"], "--device is not for --ray"),
        ([], "name it: --output FOLDER"),
    ],
)
def test_options_of_one_machine_are_refused(arguments, told):
    found = run("a.png", "--ray", "local", *arguments)
    assert found.exit_code == 2
    assert told in found.stderr


def test_a_share_of_a_gpu_is_of_a_ray_worker():
    found = run("a.png", "--gpus", 0.5)
    assert found.exit_code == 2
    assert "--gpus is of Ray workers" in found.stderr


@pytest.mark.parametrize("package", ["pyarrow", "ray"])
def test_the_extra_is_named(package, monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.split(".")[0] in (package, "sriqa_metric")]:
        if name == package or name.startswith("sriqa_metric.scale"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    found = run("a.png", "--ray", "local", "--output", tmp_path / "out")
    assert found.exit_code == 2
    assert "pip install 'sriqa-metric[ray]'" in found.stderr


@pytest.mark.answers(
    "Data sets on Ray",
    "a Ray address where nobody answers",
    "error of one line, within ten seconds",
)
def test_nobody_at_the_address(tmp_path):
    pytest.importorskip("ray")
    found = run("a.png", "--ray", "127.0.0.1:1", "--output", tmp_path / "out")
    assert found.exit_code == 2
    assert "Ray cannot be reached at '127.0.0.1:1'" in found.stderr
    assert found.stderr.count("\n") == 1
