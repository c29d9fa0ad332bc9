"""Which files a user means: files, folders, patterns, and lists on stdin."""

from __future__ import annotations

import codecs
import glob
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import SriqaError
from ..files import EXTENSIONS
from ..names import counted


class Item(NamedTuple):
    """A path that was asked for, and why it cannot even be tried."""

    path: str
    problem: str | None = None


def expand(paths: list[str], recursive: bool) -> Iterator[Item]:
    """Every path that is meant, in the order given; `-` stands for the paths listed on stdin.

    A folder stands for its image files, sorted by name. A pattern that is no file's name stands
    for what it matches. What cannot be found or entered is kept, so that its failure is told.

    Raises
    ------
    SriqaError
        For a list that cannot be read.
    """
    for path in paths:
        if path != "-":
            yield from _meant(path, recursive)
            continue
        lines = _listed()
        for line in lines:
            yield from _meant(line, recursive)
        if not lines:
            yield Item(path, "no paths in the list on stdin")


def _listed() -> list[str]:
    """Paths on stdin, one a line; a line ends with a line feed and nothing else."""
    try:
        data = sys.stdin.buffer.read()
    except (AttributeError, OSError) as error:  # closed, or a folder
        reason = getattr(error, "strerror", None) or "it is closed"
        raise SriqaError(f"-: the list on stdin cannot be read: {reason}") from None
    if b"\0" in data:
        raise SriqaError(
            "-: the list on stdin has NUL bytes; write it in UTF-8 (not UTF-16), one path a line "
            "(find without -print0)"
        )
    lines = os.fsdecode(data.removeprefix(codecs.BOM_UTF8)).split("\n")
    return [line.removesuffix("\r") for line in lines if line.strip()]


def _meant(path: str, recursive: bool) -> Iterator[Item]:
    if os.path.isdir(path):
        yield from _images_in(path, recursive)
    elif os.path.lexists(path) or not glob.has_magic(path):
        yield Item(path)
    else:
        matches = sorted(glob.glob(path, recursive=True))
        yield from map(Item, matches)
        if not matches:
            yield Item(path, "nothing matches this pattern")


def _images_in(folder: str, recursive: bool) -> list[Item]:
    found: list[Item] = []
    below: list[str] = []

    def cannot_enter(error: OSError) -> None:
        found.append(Item(error.filename, f"cannot be read: {error.strerror}"))

    for root, folders, files in os.walk(folder, onerror=cannot_enter):
        below += folders
        folders.sort()
        if not recursive:
            folders.clear()
        found += [
            Item(os.path.join(root, name))
            for name in sorted(files)
            if os.path.splitext(name)[1].lower() in EXTENSIONS
        ]
    return found or [Item(folder, _nothing(len(below), recursive))]


def _nothing(folders: int, recursive: bool) -> str:
    if recursive or not folders:
        return "no image files in this folder" + (" and those in it" if folders else "")
    held = counted(folders, "folder")
    return f"no image files in this folder, but {held}; enter them with -r, or use sriqa-compare"
