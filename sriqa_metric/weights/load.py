"""A metric by its name or by a weights file, ready to score."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ..crops import CropPolicy
from ..errors import SriqaError, WeightsError
from ..metric import CalibratedMetric
from ..models.rectifier import Rectifier
from ..registry import (
    CATALOG,
    DEFAULT_METRIC,
    REPO_VARIABLE,
    MetricSpec,
    fetch_weights,
    file_in,
    find_spec,
    ways_out,
)
from .format import read_file
from .header import read_description
from .tensors import check_tensors


def load(
    metric: str = DEFAULT_METRIC,
    weights: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    policy: CropPolicy | None = None,
) -> CalibratedMetric:
    """Make a metric that is ready to score.

    Parameters
    ----------
    metric : str
        Name from the registry.
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
        return fetch_weights(file_in(repo, f"{spec.name}.safetensors"))
    if spec.bundled is not None:
        return spec.bundled
    if spec.released is not None:
        return fetch_weights(spec.released)
    raise WeightsError(f"{spec.name}: no weights are released. {ways_out()}")


def find_device(device: str | torch.device) -> torch.device:
    """The device of that name; a `SriqaError` if there is none here."""
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError):
        raise SriqaError(f"unknown device {device!r}; use 'cpu' or 'cuda'") from None
    if chosen.type == "cuda":
        there = torch.cuda.device_count()
        if not torch.cuda.is_available() or not there:
            raise SriqaError(f"device {str(chosen)!r}: this torch sees no CUDA device; use 'cpu'")
        if chosen.index is not None and chosen.index >= there:
            names = ", ".join(f"'cuda:{index}'" for index in range(there))
            raise SriqaError(f"device {str(chosen)!r}: there is no such device, only {names}")
        return chosen
    if chosen.type == "meta":
        raise SriqaError("device 'meta' computes nothing; use 'cpu' or 'cuda'")
    try:
        torch.ones(1, device=chosen).item()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
        raise SriqaError(
            f"device {str(chosen)!r}: does not work here ({reason}); use 'cpu'"
        ) from None
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
    found = read_file(path, spec.name)
    policy = CropPolicy.from_dict(found.description["crop_policy"])
    with torch.device("meta"):
        model = spec.build()
        rectifier = Rectifier(model.feature_dim)
        metric = CalibratedMetric(spec.name, model, rectifier, policy, found.weights_id)
    check_tensors(found.tensors, metric.state_dict(), path)
    metric.load_state_dict(found.tensors, assign=True)
    return metric.requires_grad_(False)
