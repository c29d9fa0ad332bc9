"""One strict file format for calibrated metrics: safetensors with a JSON description.

A file is used whole or not at all: every tensor that the metric needs is there, in its shape and
finite, and nothing else is. Only a thin file has its encoder's tensors elsewhere; see `thin`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .catalog import CATALOG, HubFile, MetricSpec, find_spec
from .crops import CropPolicy
from .errors import SriqaError
from .hub import REPO_VARIABLE, WeightsError, fetch, file_in, sha256_of, ways_out
from .metric import CalibratedMetric
from .rectifier import Rectifier
from .tensor_file import read_metadata, read_tensors
from .thin import KEY as ENCODER_KEY
from .thin import encoder_file, is_encoder, read_encoder

FORMAT_VERSION = 1
_KEY = "sriqa"  # the one entry of the safetensors metadata
_REQUIRED = ("format_version", "metric", "encoder", "crop_policy", "training_data", "licence")


def load(
    metric: str = "sriqa_lite",
    weights: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    policy: CropPolicy | None = None,
) -> CalibratedMetric:
    """Make a metric that is ready to score.

    Parameters
    ----------
    metric : str
        Name from the catalogue.
    weights : path, optional
        A weights file to use instead of the one that belongs to the name; see `find_weights`.
    device : str or torch.device
    policy : CropPolicy, optional
        Which crops to read, instead of the policy stored with the weights.

    Returns
    -------
    CalibratedMetric

    Raises
    ------
    SriqaError
        For an unknown metric or device, and for weights that are missing or wrong.
    """
    spec = find_spec(metric)
    chosen = find_device(device)
    model = read_weights(find_weights(spec, weights), spec)
    if policy is not None:
        model.policy = policy
    return model.to(chosen)


def load_source(source: str, device: str | torch.device = "cpu") -> CalibratedMetric:
    """Make a metric by its name, or by a weights file, which says itself what it is.

    Raises
    ------
    SriqaError
        If it is neither, or its weights are missing or wrong.
    """
    if source in CATALOG:
        return load(source, device=device)
    path = Path(source)
    if not source or not path.exists():
        raise SriqaError(
            f"{source!r} is neither a weights file nor one of the metrics {', '.join(CATALOG)}"
        )
    return load(str(read_description(path)["metric"]), path, device)


def find_weights(spec: MetricSpec, weights: str | os.PathLike[str] | None = None) -> Path:
    """The weights file of a metric, downloaded if need be.

    The first of these that is there, and never another one when it fails: the file given, the
    repository that SRIQA_WEIGHTS_REPO names, the file in the package, the released file.

    Parameters
    ----------
    spec : MetricSpec
    weights : path, optional
        A local file.

    Returns
    -------
    Path

    Raises
    ------
    WeightsError
        If there are no weights for this metric, or they cannot be fetched.
    """
    if weights is not None:
        return Path(weights)
    repo = os.environ.get(REPO_VARIABLE)
    if repo:
        return fetch(file_in(repo, f"{spec.name}.safetensors"))
    if spec.bundled is not None:
        return spec.bundled
    if spec.released is not None:
        return fetch(spec.released)
    raise WeightsError(f"{spec.name}: no weights are released. {ways_out()}")


def find_device(device: str | torch.device) -> torch.device:
    """The device of that name; a `SriqaError` if there is none here."""
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise SriqaError(f"unknown device {device!r}; use 'cpu' or 'cuda'") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise SriqaError(f"device {str(chosen)!r}: this torch sees no CUDA device; use 'cpu'")
    return chosen


def read_weights(path: Path, spec: MetricSpec) -> CalibratedMetric:
    """Read a weights file of a metric.

    Parameters
    ----------
    path : Path
    spec : MetricSpec
        The metric that the file must be for.

    Returns
    -------
    CalibratedMetric
        On the CPU, float32.

    Raises
    ------
    WeightsError
        If the file cannot be read, is no weights file of this metric and format version, or if a
        tensor is missing, unknown, of another shape or not finite.
    """
    description = read_description(path)
    if description["metric"] != spec.name:
        raise WeightsError(f"{path}: weights of {description['metric']!r}, not of {spec.name!r}")
    policy = CropPolicy.from_dict(description["crop_policy"])
    tensors, _ = read_file(path)
    with torch.device("meta"):
        model = spec.build()
        rectifier = Rectifier(model.feature_dim)
        metric = CalibratedMetric(spec.name, model, rectifier, policy, weights_id(path))
    check_tensors(tensors, metric.state_dict(), path)
    metric.load_state_dict(tensors, assign=True)
    return metric.requires_grad_(False)


def read_file(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (as float32) and description of a weights file; a thin one's encoder is fetched.

    Raises
    ------
    WeightsError
        If it cannot be read, is no safetensors file, or its description is not ours; for a thin
        file also if the encoder cannot be had or is not what it should be.
    """
    tensors, description = read_tensors(path), read_description(path)
    if encoder := encoder_file(description, path):
        if doubled := next(filter(is_encoder, tensors), None):
            raise WeightsError(f"{path}: holds {doubled!r}, and names a file for the encoder too")
        tensors |= read_encoder(encoder)
    return tensors, description


def read_description(path: Path) -> dict[str, Any]:
    """What a weights file says of itself; no tensor is read.

    Raises
    ------
    WeightsError
        If it cannot be read, is no safetensors file, or its description is not ours.
    """
    metadata = read_metadata(path)
    try:
        description = json.loads(metadata[_KEY])
        if not isinstance(description, dict):
            raise TypeError
        missing = [key for key in _REQUIRED if key not in description]
    except (KeyError, TypeError, ValueError):
        raise WeightsError(f"{path}: no description {_KEY!r} in the header; not ours") from None
    if missing:
        raise WeightsError(f"{path}: the description lacks {', '.join(missing)}")
    if description["format_version"] != FORMAT_VERSION:
        raise WeightsError(
            f"{path}: format version {description['format_version']!r}, but this package reads "
            f"{FORMAT_VERSION}; update sriqa-metric"
        )
    return description


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
        found = [f"{len(missing)} tensors missing ({missing[0]!r}, …)"] if missing else []
        found += [f"{len(unknown)} unknown ({unknown[0]!r}, …)"] if unknown else []
        raise WeightsError(f"{path}: {' and '.join(found)}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            raise WeightsError(f"{path}: tensor {name!r} has shape {shapes}")
        if not tensor.isfinite().all():
            raise WeightsError(f"{path}: tensor {name!r} holds NaN or infinite values")


def weights_id(path: Path) -> str:
    """What identifies a weights file: the first 12 digits of its SHA-256."""
    return "sha256:" + sha256_of(path)[:12]


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
    WeightsError
        If a value does not fit the dtype.
    """
    from safetensors.torch import save_file

    from . import __version__

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
        "licence": spec.licence,
        "package_version": __version__,
        **record,
    }
    partial = path.with_name(path.name + ".partial")
    try:
        save_file(tensors, partial, metadata={_KEY: json.dumps(description, sort_keys=True)})
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
