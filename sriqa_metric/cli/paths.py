"""Which files a user means: files, folders, patterns, and lists on stdin."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from ..files import EXTENSIONS


class Item(NamedTuple):
    """A path that was asked for, and why it cannot even be tried."""

    path: str
    problem: str | None = None


def expand(paths: list[str], recursive: bool) -> Iterator[Item]:
    """Every path that is meant, in the order given.

    A folder stands for its image files, sorted by name. A pattern that is no file's name stands
    for what it matches. What cannot be found is kept, so that its failure is told.
    """
    for path in paths:
        if path == "-":
            lines = os.fsdecode(sys.stdin.buffer.read()).splitlines()
            yield from expand([line for line in lines if line and line != "-"], recursive)
        elif os.path.isdir(path):
            found = [Item(name) for name in _images_in(path, recursive)]
            yield from found or [Item(path, "no image files in this folder")]
        elif os.path.lexists(path) or not glob.has_magic(path):
            yield Item(path)
        else:
            matches = sorted(glob.glob(path, recursive=True))
            yield from map(Item, matches)
            if not matches:
                yield Item(path, "nothing matches this pattern")


def _images_in(folder: str, recursive: bool) -> list[str]:
    found = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        if not recursive:
            folders.clear()
        found += [
            os.path.join(root, name)
            for name in sorted(files)
            if os.path.splitext(name)[1].lower() in EXTENSIONS
        ]
    return found
