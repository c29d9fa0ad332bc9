"""One strict file format for calibrated metrics: safetensors with a JSON description.

A file is used whole or not at all: every tensor that the metric needs is there, in its shape and
finite, and nothing else is. Only a thin file has its encoder's tensors elsewhere; see `encoder`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import SriqaError, WeightsError
from ..files import replaced, sha256_of
from ..hub import HubFile
from ..metric import CalibratedMetric
from ..registry import find_spec
from .encoder import KEY as ENCODER_KEY
from .encoder import encoder_file, is_encoder, read_encoder
from .header import FORMAT_VERSION, KEY, checked, require_regular
from .tensors import parse_tensors


@dataclass(frozen=True)
class WeightsFile:
    """A weights file in memory.

    Parameters
    ----------
    tensors : dict
        Name -> float32 tensor; of a thin file with those of its encoder.
    description : dict
    weights_id : str
        Of exactly the bytes that the tensors come from.
    """

    tensors: dict[str, Tensor]
    description: dict[str, Any]
    weights_id: str


def read_file(path: Path, metric: str | None = None) -> WeightsFile:
    """Read a weights file; a thin one's encoder is fetched.

    Everything is taken from one reading: a file that is replaced meanwhile never gives the tensors
    of one version under the name of the other.

    Parameters
    ----------
    path : Path
    metric : str, optional
        The metric that the file must be of, before anything is fetched.

    Raises
    ------
    WeightsError
        If it cannot be read, is no safetensors file, its description is not ours, or it is of
        another metric; for a thin file also if the encoder cannot be had, or is not what it should
        be.
    """
    require_regular(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with NUL in it
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"{path}: cannot read the weights: {reason}") from None
    header, tensors = parse_tensors(data, path)
    description = checked(header.description(path), path)
    if metric and description["metric"] != metric:
        raise WeightsError(f"{path}: weights of {description['metric']!r}, not of {metric!r}")
    if encoder := encoder_file(description, path):
        if doubled := next(filter(is_encoder, tensors), None):
            raise WeightsError(f"{path}: holds {doubled!r}, and names a file for the encoder too")
        tensors |= read_encoder(encoder)
    return WeightsFile(tensors, description, _short(hashlib.sha256(data).hexdigest()))


def weights_id(path: Path) -> str:
    """What identifies a weights file: the first 12 digits of its SHA-256."""
    return _short(sha256_of(path))


def _short(sha256: str) -> str:
    return f"sha256:{sha256[:12]}"


def save_weights(
    path: Path,
    metric: CalibratedMetric,
    record: dict[str, Any],
    dtype: torch.dtype = torch.float16,
    encoder: HubFile | None = None,
) -> None:
    """Write a calibrated metric as safetensors.

    Parameters
    ----------
    path : Path
        Written under another name first, then moved here, so a file is never half there.
    metric : CalibratedMetric
        With a rectifier.
    record : dict
        `training_data`, and whatever else describes how the weights were made; plain JSON values.
    dtype : torch.dtype
        Of the tensors in the file.
    encoder : HubFile, optional
        Has the encoder's tensors, which are left out here.

    Raises
    ------
    SriqaError
        If a value does not fit the dtype, or the file cannot be written.
    """
    if path.exists() and not path.is_file():  # safetensors would put a file in its place
        raise SriqaError(f"{path}: is no regular file; give the name of a file")
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    from ..version import __version__

    spec = find_spec(metric.name)
    state = {name: tensor.cpu() for name, tensor in metric.state_dict().items()}
    if encoder:
        state = {name: tensor for name, tensor in state.items() if not is_encoder(name)}
        record = record | {ENCODER_KEY: asdict(encoder)}
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in state.items()}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            kind = str(dtype).removeprefix("torch.")
            raise WeightsError(f"{path}: tensor {name!r} does not fit {kind}")
    description = {
        "format_version": FORMAT_VERSION,
        "metric": metric.name,
        "encoder": spec.encoder,
        "crop_policy": metric.policy.to_dict(),
        "license": spec.license,
        "package_version": __version__,
        **record,
    }
    try:
        with replaced(path) as partial:
            save_file(tensors, partial, metadata={KEY: json.dumps(description, sort_keys=True)})
    except SafetensorError as error:  # no OSError even where the disk is full
        raise WeightsError(f"{path}: cannot be written: {error}") from None
