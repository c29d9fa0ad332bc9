"""Which image files a path means: a file, a folder, a pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import NamedTuple

from .files import EXTENSIONS
from .names import counted


class Item(NamedTuple):
    """A path that was asked for, and why it cannot even be tried."""

    path: str
    problem: str | None = None


def meant(path: str, recursive: bool, endings: frozenset[str] = EXTENSIONS) -> Iterator[Item]:
    """Every file that a path means, in order.

    A folder stands for its files of these endings, sorted by name. A pattern that is no file's
    name stands for what it matches. What cannot be found or entered is kept, so that its failure is
    told.
    """
    if os.path.isdir(path):
        yield from _images_in(path, recursive, endings)
    elif os.path.lexists(path) or not glob.has_magic(path):
        yield Item(path)
    else:
        matches = sorted(glob.glob(path, recursive=True))
        yield from map(Item, matches)
        if not matches:
            yield Item(path, "nothing matches this pattern")


def _images_in(folder: str, recursive: bool, endings: frozenset[str]) -> list[Item]:
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
            if os.path.splitext(name)[1].lower() in endings
        ]
    return found or [Item(folder, _nothing(len(below), recursive))]


def _nothing(folders: int, recursive: bool) -> str:
    if recursive or not folders:
        return "no image files in this folder" + (" and those in it" if folders else "")
    held = counted(folders, "folder")
    return f"no image files in this folder, but {held}; enter them with -r, or use sriqa-compare"
