"""Tensors of safetensors files, as float32, and whether they are those expected."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

from ..errors import WeightsError
from ..names import counted
from .header import Header, parse_header


def parse_tensors(data: bytes, path: Path) -> tuple[Header, dict[str, Tensor]]:
    """Head and tensors of a file whose bytes are given.

    Raises
    ------
    WeightsError
        If they are no safetensors file, or a tensor is not floating point; `path` names the file.
    """
    header = parse_header(io.BytesIO(data), path)
    try:
        tensors = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from None
    return header, _as_float32(tensors, path)


def read_tensors(path: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors of a file whose names begin so; the others are not read.

    Raises
    ------
    WeightsError
        If the file cannot be read, is no safetensors file, or a tensor is not floating point.
    """
    try:
        with path.open("rb") as stream:
            parse_header(stream, path)
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return _as_float32({name: file.get_tensor(name) for name in names}, path)
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"{path}: cannot read the weights: {reason}") from None
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from None


def _as_float32(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise WeightsError(f"{path}: tensor {name!r} is {tensor.dtype}, not floating point")
    # Copies, also of float32: where in memory a tensor begins can change the last bit of a score,
    # and in the file that depends on what stands before it.
    return {name: tensor.to(torch.float32, copy=True) for name, tensor in tensors.items()}


def check_tensors(tensors: dict[str, Tensor], expected: dict[str, Tensor], path: Path) -> None:
    """Refuse tensors unless they are, by name and shape, those expected, and finite.

    Raises
    ------
    WeightsError
        That names the first tensor which is wrong.
    """
    missing = sorted(expected.keys() - tensors.keys())
    unknown = sorted(tensors.keys() - expected.keys())
    if missing or unknown:
        lacking = counted(len(missing), "tensor")
        found = [f"{lacking} missing ({missing[0]!r}, …)"] if missing else []
        found += [f"{len(unknown)} unknown ({unknown[0]!r}, …)"] if unknown else []
        raise WeightsError(f"{path}: {' and '.join(found)}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            raise WeightsError(f"{path}: tensor {name!r} has shape {shapes}")
        if not tensor.isfinite().all():
            raise WeightsError(f"{path}: tensor {name!r} holds NaN or infinite values")
