"""What every command shares: version, help, errors, and where it writes."""

import os
import subprocess
import sys
import threading
import typing
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

import sriqa_metric
from sriqa_metric.calibrate import cli as calibrate
from sriqa_metric.calibrate.evaluation.cli import evaluate
from sriqa_metric.calibrate.evaluation.report import FORMATS
from sriqa_metric.calibrate.ranking.cli import rank
from sriqa_metric.calibrate.ranking.output import FORMATS as RANK_FORMATS
from sriqa_metric.cli import compare, score, weights
from sriqa_metric.cli.common import device_of, make_folder, opened, refuse, told
from sriqa_metric.cli.output import WRITERS
from sriqa_metric.errors import SriqaError

COMMANDS = [score, compare, weights, calibrate]


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_tells_its_version_and_its_usage(module):
    found = CliRunner().invoke(module.app, ["--version"])
    assert found.exit_code == 0
    assert found.stdout.split() == ["sriqa-metric", sriqa_metric.__version__]
    for word in ("-h", "--help"):
        assert "Usage" in CliRunner().invoke(module.app, [word]).stdout


def test_every_option_of_one_name_is_the_same():
    """`--device` and `--output` mean the same wherever they are."""
    found = {}
    for module in COMMANDS:
        command = typer.main.get_command(module.app)
        for each in getattr(command, "commands", {"": command}).values():
            for option in each.params:
                if option.name in ("device", "output"):
                    found.setdefault(option.name, set()).add((*option.opts, str(option.default)))
    assert found["device"] == {("--device", "auto")}
    assert {opts[:2] for opts in found["output"]} == {("--output", "-o")}


@pytest.mark.parametrize(
    ("command", "known"), [(score.score, WRITERS), (evaluate, FORMATS), (rank, RANK_FORMATS)]
)
def test_every_format_is_offered(command, known):
    assert set(typing.get_args(typing.get_type_hints(command)["format"])) == set(known)


def test_the_device_is_found_where_it_is():
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [(SriqaError("x: bad"), 2, "name: x: bad\n"), (KeyboardInterrupt(), 130, "name: stopped\n")],
)
def test_what_ends_a_command_is_one_line(error, status, line, capsys):
    with pytest.raises(typer.Exit) as found, told("name"):
        raise error
    assert found.value.exit_code == status
    assert capsys.readouterr().err == line


def test_the_inner_status_counts(capsys):
    with pytest.raises(typer.Exit) as found, told("name"), told("name", 1):
        raise SriqaError("x: bad")
    assert found.value.exit_code == 1
    assert capsys.readouterr().err == "name: x: bad\n"


def test_any_other_error_is_a_bug():
    with pytest.raises(KeyError), told("name"):
        raise KeyError


def write(path, text="new", inputs=()):
    with opened(path, inputs) as stream:
        stream.write(text)


def test_a_file_is_there_when_the_block_ends(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(TypeError), opened(path) as stream:
        stream.writelines(["half", None])
    assert path.read_text() == "old"
    write(path, "whole \udcff")
    assert path.read_bytes() == b"whole \xff"
    assert list(tmp_path.iterdir()) == [path]


def test_no_path_is_stdout(capsys):
    write(None)
    assert capsys.readouterr().out == "new"


def test_a_link_goes_on_pointing_to_its_file(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_what_is_no_regular_file_is_written_as_it_is(tmp_path):
    write(Path(os.devnull))
    assert not os.path.isfile(os.devnull)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    write(fifo)
    reader.join()
    assert read == ["new"]
    assert fifo.is_fifo()
    code = "from sriqa_metric.cli.common import opened; from pathlib import Path\n"
    code += "with opened(Path('/dev/stdout')) as stream: stream.write('new')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout == b"new"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_told():
    with pytest.raises(SriqaError, match=r"/dev/full: cannot be written"):
        write(Path("/dev/full"))


def test_outputs_that_cannot_be_are_refused(tmp_path):
    path = tmp_path / "x"
    path.write_text("input")
    for bad, way_out in (
        (tmp_path, "name of a file"),
        (tmp_path / "none" / "x", "make it first"),
        (path / "x", "make it first"),
    ):
        with pytest.raises(SriqaError, match=way_out):
            refuse(bad)
    (tmp_path / "link").symlink_to("x")
    for bad in (path, tmp_path / "link", tmp_path / ".." / tmp_path.name / "x"):
        with pytest.raises(SriqaError, match="another name"):
            refuse(bad, [tmp_path / "other", path])
    with pytest.raises(SriqaError, match="another name"):
        refuse(tmp_path / "new", [tmp_path / "new"])
    refuse(path, [tmp_path / "other"])
    assert path.read_text() == "input"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_what_must_not_be_written_is_refused(tmp_path):
    (tmp_path / "x").touch(0o400)
    tmp_path.chmod(0o500)
    for refused in (lambda: refuse(tmp_path / "x"), lambda: refuse(tmp_path / "y")):
        with pytest.raises(SriqaError, match="cannot be written"):
            refused()
    with pytest.raises(SriqaError, match="cannot be written into"):
        make_folder(tmp_path)
    tmp_path.chmod(0o700)


def test_a_folder_is_made_or_refused(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    for bad in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(SriqaError, match=str(bad)):
            make_folder(bad)
