"""Where every command writes: files that are whole or not there, and refusals in advance."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sriqa_metric.cli.common import make_folder, opened, refuse, refuse_plot
from sriqa_metric.errors import SriqaError


def write(path, text="new", inputs=()):
    with opened(path, inputs) as stream:
        stream.write(text)


@pytest.mark.answers(
    "Outputs",
    "an error while results are written",
    "the file stays as it was; nothing half written is left",
)
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


@pytest.mark.answers(
    "Outputs", "an output that is a link", "the file that it points to is replaced"
)
def test_a_link_goes_on_pointing_to_its_file(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.answers(
    "Outputs", "an output that is a FIFO, `/dev/stdout` or `/dev/null`", "is written into"
)
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


@pytest.mark.answers(
    "Outputs",
    "an output that is a folder, or whose folder is missing",
    "error before the work, exit status 2",
)
@pytest.mark.answers(
    "Outputs",
    "an output that is an input, also by a link or another path to it",
    "error: give another name",
)
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
    (tmp_path / "sub").mkdir()
    with pytest.raises(SriqaError, match="another name"):
        refuse(path, [tmp_path / "sub", tmp_path / "sub" / ".."])  # a folder of inputs
    refuse(tmp_path / "new", [tmp_path])
    refuse(path, [tmp_path / "other", tmp_path / "sub"])
    assert path.read_text() == "input"


@pytest.mark.answers(
    "Outputs", "no permission to write an output", "error before the work, exit status 2"
)
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


@pytest.mark.answers(
    "Outputs", "a file where the folder of a run is to be", "error before the work"
)
def test_a_folder_is_made_or_refused(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    for bad in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(SriqaError, match=str(bad)):
            make_folder(bad)


@pytest.mark.answers(
    "Outputs", "a picture whose ending says no format", "error before the work: the endings"
)
def test_pictures_that_could_not_be_drawn_are_refused(tmp_path, monkeypatch):
    for name in ("x.png", "x.PDF", "x", "x.csv"):
        refuse_plot(tmp_path / name, others=(".csv",))
    for name in ("x.docx", "x.csv"):
        with pytest.raises(SriqaError, match=rf"{name}: must end with one of \.png, "):
            refuse_plot(tmp_path / name)
    with pytest.raises(SriqaError, match="another name"):
        refuse_plot(tmp_path / "x.png", [tmp_path / "x.png"])
    monkeypatch.setattr("sriqa_metric.cli.common.find_spec", lambda name: None)
    refuse_plot(tmp_path / "x.csv", others=(".csv",))
    with pytest.raises(SriqaError, match=r"pip install 'sriqa-metric\[plot\]'"):
        refuse_plot(tmp_path / "x.png")
