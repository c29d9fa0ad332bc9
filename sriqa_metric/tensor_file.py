"""Reading a safetensors file: its tensors and its metadata, or one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .hub import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_MAX_HEADER = 1_000_000  # bytes; a real header has some tens of thousands


def read_metadata(path: Path) -> dict[str, str]:
    """What the header says beside the tensors; no tensor is read.

    Raises
    ------
    WeightsError
        If it cannot be read, or is no safetensors file.
    """
    with _opened(path) as file:
        return file.metadata() or {}


def read_tensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors whose names begin so, as float32; the others are not read.

    Raises
    ------
    WeightsError
        If the file cannot be read, is no safetensors file, or a tensor is not floating point.
    """
    import torch

    with _opened(path) as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        tensors = {name: file.get_tensor(name) for name in names}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise WeightsError(f"{path}: tensor {name!r} is {tensor.dtype}, not floating point")
    # Copies, also of float32: where in memory a tensor begins can change the last bit of a score,
    # and in the mapped file that depends on what stands before it.
    return {name: tensor.to(torch.float32, copy=True) for name, tensor in tensors.items()}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > _MAX_HEADER:
            raise WeightsError(f"{path}: not a weights file: it claims a header of {header} bytes")
        with safe_open(path, framework="pt") as file:
            yield file
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"{path}: cannot read the weights: {reason}") from None
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from None
