"""What a weights file says of itself, read without torch and without its tensors."""

from __future__ import annotations

import json
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import WeightsError
from ..names import counted

FORMAT_VERSION = 1
KEY = "sriqa"  # the one entry of the safetensors metadata
_REQUIRED = ("format_version", "metric", "encoder", "crop_policy", "training_data", "license")
_MAX_HEADER = 1_000_000  # bytes; a real header has some tens of thousands


@dataclass(frozen=True)
class Header:
    """The head of a safetensors file.

    Parameters
    ----------
    metadata : dict
        Strings that the file holds beside its tensors.
    tensors : dict
        Name -> (dtype, shape), as safetensors writes them.
    file_size : int
        Bytes that a whole file with this head has.
    """

    metadata: dict[str, str]
    tensors: dict[str, tuple[str, tuple[int, ...]]]
    file_size: int

    @property
    def parameters(self) -> int:
        """Values in all tensors."""
        return sum(math.prod(shape) for _, shape in self.tensors.values())

    @property
    def dtypes(self) -> list[str]:
        """Every dtype that occurs, sorted."""
        return sorted({dtype for dtype, _ in self.tensors.values()})

    def description(self, path: Path) -> dict[str, Any]:
        """What the file says of itself, of whatever version.

        Raises
        ------
        WeightsError
            If it says nothing that is ours; `path` names the file.
        """
        try:
            found = json.loads(self.metadata[KEY])
        except (KeyError, TypeError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise WeightsError(f"{path}: no description {KEY!r} in the header; not ours")
        return found


def read_header(path: Path) -> Header:
    """The head of a file; its tensors are not read.

    Raises
    ------
    WeightsError
        If it cannot be read, or is no whole safetensors file.
    """
    require_regular(path)
    try:
        with path.open("rb") as stream:
            header = parse_header(stream, path)
        size = path.stat().st_size
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"{path}: cannot read the weights: {reason}") from None
    if size != header.file_size:
        raise WeightsError(
            f"{path}: not a whole safetensors file: {counted(size, 'byte')}, not {header.file_size}"
        )
    return header


def require_regular(path: Path) -> None:
    """Refuse what is there and no regular file: to open a FIFO would wait without end.

    Raises
    ------
    WeightsError
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # to open it says why
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise WeightsError(f"{path}: is no regular file but a FIFO or device; give a weights file")


def parse_header(stream: BinaryIO, path: Path) -> Header:
    """The head of the safetensors file that a stream starts with: 8 bytes of length, then JSON.

    Raises
    ------
    WeightsError
        If it is none; `path` names the file.
    """
    length = int.from_bytes(stream.read(8), "little")
    if length > _MAX_HEADER:
        raise WeightsError(f"{path}: not a weights file: it claims a header of {length} bytes")
    text = stream.read(length)
    try:
        if not length or len(text) < length:
            raise ValueError("it is cut off")
        entries = json.loads(text)
        metadata = dict(entries.pop("__metadata__", {}))
        tensors = {
            name: (str(entry["dtype"]), tuple(int(side) for side in entry["shape"]))
            for name, entry in entries.items()
        }
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from None
    return Header(metadata, tensors, 8 + length + end)


def read_description(path: Path) -> dict[str, Any]:
    """What a weights file says of itself; no tensor is read.

    Raises
    ------
    WeightsError
        If it cannot be read, is no safetensors file, or its description is not ours.
    """
    return checked(read_header(path).description(path), path)


def checked(description: dict[str, Any], path: Path) -> dict[str, Any]:
    """A description itself, if it is whole and of this package's version.

    Raises
    ------
    WeightsError
    """
    missing = [key for key in _REQUIRED if key not in description]
    if missing:
        raise WeightsError(f"{path}: the description lacks {', '.join(missing)}")
    if description["format_version"] != FORMAT_VERSION:
        raise WeightsError(
            f"{path}: format version {description['format_version']!r}, but this package reads "
            f"{FORMAT_VERSION}; update sriqa-metric"
        )
    return description
