"""Files are there whole or not at all, with the mode of any file of the user."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sriqa_metric.files import _sha256, listed, replaced, sha256_of, write_text


def test_what_is_written_replaces_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("one", "two"):
        write_text(path, text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


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


def test_a_missing_folder_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "none" / "a.txt", "")


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
