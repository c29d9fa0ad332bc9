"""Which files are meant: folders that cannot be read, and lists as other programs write them."""

import io
import os
import sys
from types import SimpleNamespace

import pytest

from sriqa_metric.cli.paths import expand
from sriqa_metric.errors import SriqaError
from sriqa_metric.image_paths import Item


def meant(*paths: object, recursive: bool = False) -> list[Item]:
    return list(expand([str(path) for path in paths], recursive))


@pytest.fixture
def listed(monkeypatch):
    """What a list on stdin means."""

    def expanded(data: bytes) -> list[str]:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        items = meant("-")
        assert not any(item.problem for item in items)
        return [item.path for item in items]

    return expanded


@pytest.mark.answers(
    "Names and lists",
    "a list on stdin with a byte order mark, or lines that end with CR LF",
    "read",
)
def test_lists_of_windows(listed):
    assert listed(b"\xef\xbb\xbfa.png\r\n\r\n \nb.png\r\n") == ["a.png", "b.png"]


@pytest.mark.answers(
    "Names and lists",
    "a name with U+2028, a form feed or a carriage return, in a list on stdin",
    "stays whole; only a line feed ends a line",
)
def test_only_a_line_feed_ends_a_line(listed):
    names = ["a\u2028b.png", "c\x0cd.png", "e\rf.png", "g\x85\x1c\x0b.png", " h .png "]
    assert listed("\n".join(names).encode()) == names


@pytest.mark.answers(
    "Names and lists", "bytes that are no text, in a list on stdin", "the file of that name"
)
@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_no_text_is_that_file(listed):
    assert [os.fsencode(path) for path in listed(b"caf\xe9.png")] == [b"caf\xe9.png"]


@pytest.mark.answers("Names and lists", "a line `-` in the list on stdin", "a file like any")
def test_a_line_with_a_dash_is_a_file_like_any(listed):
    assert listed(b"-\na.png") == ["-", "a.png"]


@pytest.mark.answers(
    "Names and lists", "an empty list on stdin", "error as for an empty folder, exit status 1"
)
@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_list_is_told(data, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert meant("-") == [Item("-", "no paths in the list on stdin")]


@pytest.mark.answers(
    "Names and lists", "a list on stdin in UTF-16, or of `find -print0`", "error: one path a line"
)
def test_lists_that_cannot_be_read_are_told(listed, monkeypatch, tmp_path):
    for data in ("a.png\n".encode("utf-16"), b"a.png\0b.png\0"):
        with pytest.raises(SriqaError, match="NUL bytes; write it in UTF-8"):
            listed(data)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SriqaError, match="cannot be read: it is closed"):
        meant("-")

    def fails():
        raise IsADirectoryError(21, "Is a directory")

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=fails)))
    with pytest.raises(SriqaError, match="cannot be read: Is a directory"):
        meant("-")


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """a.png, `in` that must not be read, and z/z.png."""
    for name in ("a.png", "in/b.png", "z/z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scan = os.scandir

    def refused(path="."):
        if os.path.basename(path) == "in":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)  # root may read any folder
    return tmp_path


@pytest.mark.answers(
    "Names and lists",
    "a folder below that must not be read, with `-r`",
    "named as a file that failed is; the others are scored",
)
def test_a_subfolder_that_cannot_be_read_is_named(locked):
    denied = Item(str(locked / "in"), "cannot be read: Permission denied")
    found = [Item(str(locked / "a.png")), denied, Item(str(locked / "z" / "z.png"))]
    assert meant(locked, recursive=True) == found
    assert meant(locked) == found[:1]


@pytest.mark.answers(
    "Names and lists", "a folder that must not be read", "error: permission denied, not: no images"
)
def test_a_folder_that_cannot_be_read_is_not_empty(locked):
    for recursive in (False, True):
        assert meant(locked / "in", recursive=recursive) == [
            Item(str(locked / "in"), "cannot be read: Permission denied")
        ]


@pytest.mark.answers(
    "Names and lists",
    "a folder with one folder per method, without `-r`",
    "error: says how many folders there are, and to use `-r` or sriqa-compare",
)
def test_folders_of_methods_are_pointed_at(tmp_path):
    problem = "no image files in this folder, but 2 folders; enter them with -r, or use"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (item,) = meant(tmp_path)
    assert item.problem.startswith(problem)
    (item,) = meant(tmp_path, recursive=True)
    assert item.problem == "no image files in this folder and those in it"
    (item,) = meant(tmp_path / "a")
    assert item.problem == "no image files in this folder"
    (tmp_path / "a" / "x.png").touch()
    assert meant(tmp_path, recursive=True) == [Item(str(tmp_path / "a" / "x.png"))]
