"""Files are there whole or not at all, with the mode of any file of the user."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sriqa_metric.errors import SriqaError
from sriqa_metric.files import _sha256, listed, replaced, sha256_of, sweep, write_text


def test_what_is_written_replaces_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("one", "two"):
        write_text(path, text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.answers(
    "Outputs", "an error while an output is written", "what was there before stays, whole"
)
def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with replaced(path) as partial:
            partial.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.answers(
    "Outputs",
    "a process killed (`kill -9`) while it writes",
    "what was there before stays, whole; a hidden file `.<name>.<random>.partial` may be left, "
    "which nothing reads",
)
def test_a_kill_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, sys; from pathlib import Path; from sriqa_metric.files import replaced\n"
        "with replaced(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, path]).returncode != 0
    assert path.read_text() == "old"
    (left,) = set(tmp_path.iterdir()) - {path}
    assert left.name.startswith(".a.txt.")
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.answers("Outputs", "the mode of an output", "follows the umask")
@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_mode_follows_the_umask_whatever_the_writer_does(tmp_path, umask):
    before = os.umask(umask)
    try:
        with replaced(tmp_path / "file") as partial:
            partial.unlink()
            partial.touch(mode=0o600)  # as some writers make their file
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "none" / "a.txt"
    with pytest.raises(SriqaError) as found:
        write_text(path, "")
    assert str(found.value) == f"{path}: cannot be written: No such file or directory"


@pytest.mark.answers(
    "Names and lists",
    "a name that is no text, in a file that has to be UTF-8",
    "error: quotes the name; rename the file",
)
def test_a_name_that_is_no_text_is_quoted(tmp_path):
    with pytest.raises(SriqaError, match=r"cannot be written: 'a caf.*xe9 b' is no text in utf-8"):
        write_text(tmp_path / "a.txt", "a caf\udce9 b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.answers(
    "Outputs",
    "a disk that is full, or a quota reached",
    "error: cannot be written; nothing half there",
)
@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
def test_a_disk_without_room_is_told_and_nothing_is_left(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from sriqa_metric.files import write_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "write_text(Path(sys.argv[1]), 'x' * 1000)"
    )
    words = [sys.executable, "-c", code, tmp_path / "a.txt"]
    found = subprocess.run(words, capture_output=True, text=True)
    assert found.stderr.splitlines()[-1].endswith("a.txt: cannot be written: File too large")
    assert list(tmp_path.iterdir()) == []


def test_a_list_names_the_first_few():
    assert listed(["a", "b"]) == "a, b"
    assert listed(range(7)) == "0, 1, 2, 3, 4 and 2 more"
    assert listed([Path("x"), Path("y")], most=1, separator="; ") == "x and 1 more"


def test_an_unchanged_file_is_hashed_once_and_a_changed_one_anew(tmp_path):
    path = tmp_path / "a"
    _sha256.cache_clear()
    for data in (b"1", b"23"):
        path.write_bytes(data)
        assert sha256_of(path) == sha256_of(path) == hashlib.sha256(data).hexdigest()
    assert _sha256.cache_info().misses == 2
