"""What is done with files in general: each exists once."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from .errors import SriqaError
from .names import visible

# Of files that count as images where a folder is searched.
EXTENSIONS = frozenset({
    ".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tga", ".tif",
    ".tiff", ".webp",
})  # fmt: skip


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits; an unchanged file is read once however often it is asked.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    stat = path.stat()
    return _sha256(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1 << 20)  # files of a large data set
def _sha256(path: Path, *state: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def image_digest(path: Path) -> str:
    """`sha256_of` an image file.

    Raises
    ------
    SriqaError
        If it cannot be read.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        raise SriqaError(f"{path}: cannot be read: {error.strerror}") from None


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name to write a file under, which is then moved to `path`: never half there.

    What is written is on the disk before it is moved; where an error ends the block, nothing of
    it is left and `path` is as it was. The file's mode follows the umask. What is there and no
    regular file (/dev/stdout, a FIFO) cannot be replaced: its own name is given. A killed process
    can leave its file, `.<name>.<random>.partial`; see `sweep`.

    Raises
    ------
    SriqaError
        If it cannot be written: no folder, no room, no permission, or a name that is no text.
    """
    try:
        if path.exists() and not path.is_file():
            yield path
            return
        with _moved(Path(os.path.realpath(path))) as partial:  # a link goes on pointing to it
            yield partial
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader is gone, of this or of stdout
            raise
        raise SriqaError(f"{path}: cannot be written: {error.strerror or error}") from None
    except UnicodeEncodeError as error:
        near = visible(error.object[max(error.start - 40, 0) : error.end + 40])
        raise SriqaError(
            f"{path}: cannot be written: {near!r} is no text in {error.encoding}; rename the file"
        ) from None


@contextmanager
def _moved(path: Path) -> Iterator[Path]:
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    partial.touch(exist_ok=False)
    mode = partial.stat().st_mode  # some writers make the file anew, with a mode of their own
    try:
        yield partial
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        partial.chmod(mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete what killed processes left half written in a folder; only this one may write there."""
    for partial in folder.glob(".*.partial"):
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, whole or not at all; raises as `replaced`."""
    with replaced(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        stream.write(text)


def listed(names: Iterable[object], most: int = 5, separator: str = ", ") -> str:
    """The first few names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return separator.join(map(str, found[:most])) + more
