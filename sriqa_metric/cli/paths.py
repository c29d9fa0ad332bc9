"""Which files a user means: files, folders, patterns, and lists on stdin."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator

from ..errors import SriqaError
from ..image_paths import Item, meant


def expand(paths: list[str], recursive: bool) -> Iterator[Item]:
    """Every path that is `meant`, in the order given; `-` stands for the paths listed on stdin.

    Raises
    ------
    SriqaError
        For a list that cannot be read.
    """
    for path in paths:
        if path != "-":
            yield from meant(path, recursive)
            continue
        lines = _listed()
        for line in lines:
            yield from meant(line, recursive)
        if not lines:
            yield Item(path, "no paths in the list on stdin")


def given(paths: list[str]) -> Iterator[str]:
    """The paths themselves, with those listed on stdin in the place of `-`.

    Raises
    ------
    SriqaError
        For a list that cannot be read.
    """
    for path in paths:
        yield from _listed() if path == "-" else [path]


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
