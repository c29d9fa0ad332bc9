"""Checkpoints of a training: files of torch.save that end with the SHA-256 of all before it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from ...errors import SriqaError
from ...files import replaced
from ...weights.checkpoints import read_checkpoint

_DIGITS = 64
# A file of torch.save is a zip, which ends with a comment and before it the comment's length.
_NO_COMMENT, _COMMENT = bytes(2), _DIGITS.to_bytes(2, "little")


def write_checkpoint(path: Path, step: int, state: dict[str, Any]) -> None:
    """Write what a stage goes on from: tensors and plain values; whole or not at all."""
    stream = io.BytesIO()
    torch.save({"step": step, "state": state}, stream)
    data = stream.getvalue()
    with replaced(path) as partial:
        partial.write_bytes(data.removesuffix(_NO_COMMENT) + _COMMENT + _digest(data))


def resumable(path: Path) -> tuple[int, dict[str, Any]]:
    """Step and state of a checkpoint.

    Raises
    ------
    SriqaError
        If it is not to the last bit what was written.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SriqaError(f"{path}: cannot be read: {error.strerror or error}") from None
    whole = data[: -_DIGITS - 2] + _NO_COMMENT
    if data[-_DIGITS - 2 :] != _COMMENT + _digest(whole):
        raise SriqaError(
            f"{path}: is damaged, it is not what was written; delete it, and the stage "
            f"{path.stem!r} starts from its beginning"
        )
    kept = read_checkpoint(path)
    return kept["step"], kept["state"]


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
