"""Files here and in object stores, by path or URI."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from glob import has_magic

from pyarrow import fs

from ..errors import SriqaError
from ..files import EXTENSIONS
from ..image_paths import Item, meant
from ..names import visible

SHARDS = (".parquet", ".tar")
_ENDINGS = EXTENSIONS | frozenset(SHARDS)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_uri(path: str) -> bool:
    """Whether a path says its file system, as in `s3://`."""
    return _SCHEME.match(path) is not None


def is_shard(path: str) -> bool:
    """Whether a file holds many images."""
    return path.lower().endswith(SHARDS)


def located(path: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URI, and the path in it.

    Raises
    ------
    SriqaError
        If there is no such file system, or it cannot be reached.
    """
    scheme = _SCHEME.match(path)
    if scheme is None:
        return fs.LocalFileSystem(), os.path.abspath(path)
    if scheme[0].lower() == "file://":
        return fs.LocalFileSystem(), path[scheme.end() :].rstrip("/")
    # The bucket alone is parsed: `#` and `?` in the name of a file are no part of a URI's syntax.
    inside = path[scheme.end() :]
    bucket = inside.partition("/")[0]
    try:
        return _file_system(scheme[0].lower() + bucket), inside.rstrip("/")
    except (ImportError, OSError, ValueError) as error:
        raise SriqaError(f"{path}: there is no file system for it ({reason_of(error)})") from None


@lru_cache(maxsize=64)  # each has connections of its own
def _file_system(uri: str) -> fs.FileSystem:
    return fs.FileSystem.from_uri(uri)[0]


def reason_of(error: Exception) -> str:
    """What an error of a file system says, in one line."""
    return (getattr(error, "strerror", None) or str(error)).partition("\n")[0]


def named(path: str) -> str:
    """A path as rows have it, which are UTF-8: a byte that is no text is `\\xNN`."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return visible(path)
    return path


def files_of(path: str, recursive: bool) -> Iterator[Item]:
    """Images and shards that a path, a folder, a pattern or a URI of one of them means, in order.

    Paths become absolute: workers have folders of their own. What cannot be found or listed is
    kept, so that its failure is told.
    """
    if not is_uri(path):
        yield from meant(os.path.abspath(path), recursive, _ENDINGS)
        return
    base = path[: path.index("://") + 3]
    try:
        file_system, inside = located(path)
        kind = file_system.get_file_info(inside).type
        if kind == fs.FileType.Directory:
            found = _below(file_system, inside, recursive)
            problem = "no images or shards in this folder"
            problem += "" if recursive else "; enter those in it with -r"
        elif kind == fs.FileType.NotFound and has_magic(inside):
            found, problem = _matching(file_system, inside), "nothing matches this pattern"
        else:
            found, problem = [inside], ""
    except OSError as error:
        found, problem = [], f"cannot be listed: {reason_of(error)}"
    except SriqaError as error:
        found, problem = [], str(error).removeprefix(f"{path}: ")
    yield from (Item(base + name) for name in found)
    if not found:
        yield Item(path, problem)


def _below(file_system: fs.FileSystem, folder: str, recursive: bool) -> list[str]:
    selector = fs.FileSelector(folder, recursive=recursive)
    return sorted(
        info.path
        for info in file_system.get_file_info(selector)
        if info.type == fs.FileType.File and f".{info.extension.lower()}" in _ENDINGS
    )


def _matching(file_system: fs.FileSystem, pattern: str) -> list[str]:
    """Files that match part by part; `*` does not go over a `/`, and `**` is none of them."""
    parts = pattern.split("/")
    if "**" in parts:
        raise SriqaError("** is for files of this machine; give the folder with -r")
    fixed = next(place for place, part in enumerate(parts) if has_magic(part))
    selector = fs.FileSelector("/".join(parts[:fixed]), recursive=len(parts) > fixed + 1)
    return sorted(
        info.path
        for info in file_system.get_file_info(selector)
        if info.type == fs.FileType.File
        and len(own := info.path.split("/")) == len(parts)
        and all(map(fnmatchcase, own, parts))
    )
