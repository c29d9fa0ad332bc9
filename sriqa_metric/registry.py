"""Every metric of the package: what it is made of, and where its weights come from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import SriqaError, WeightsError
from .hub import HubFile, fetch

if TYPE_CHECKING:
    from .models import QualityModel


@dataclass(frozen=True)
class MetricSpec:
    """One metric.

    Parameters
    ----------
    name : str
        As given to `load` and `--metric`.
    summary : str
        One line for people.
    encoder : str
        Network inside the quality model.
    build : callable
        Makes the quality model, its weights unset.
    bundled : Path or None
        Weights file inside the wheel.
    score_range : str
        What values to expect, for people.
    license : str
        License of the weights.
    crops : int
        Test crops of an image that trained weights ask for.
    released : HubFile or None
        Weights on the Hub. The day weights are published, this entry is all that changes.
    """

    name: str
    summary: str
    encoder: str
    build: Callable[[], QualityModel]
    bundled: Path | None
    score_range: str
    license: str
    crops: int = 15
    released: HubFile | None = None


def _lite() -> QualityModel:
    from .models.lite import LiteQualityModel

    return LiteQualityModel()


def _clip() -> QualityModel:
    from .models.clip import ClipQualityModel

    return ClipQualityModel()


def _dbcnn() -> QualityModel:
    from .models.dbcnn import DBCNNQualityModel

    return DBCNNQualityModel()


def _hyperiqa() -> QualityModel:
    from .models.hyperiqa import HyperIQAQualityModel

    return HyperIQAQualityModel()


REPO_VARIABLE = "SRIQA_WEIGHTS_REPO"
DEFAULT_METRIC = "sriqa_lite"
_NAME = r"\w[\w.-]*"
_BUNDLED = Path(__file__).parent / "bundled"

CATALOG: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        MetricSpec(
            name="sriqa_lite",
            summary="EfficientNet-Lite0 that learnt from 10,000 rated photographs and SR methods",
            encoder="EfficientNet-Lite0",
            build=_lite,
            bundled=_BUNDLED / "sriqa_lite.safetensors",
            score_range="1 (bad) to 5 (excellent)",
            license="Apache-2.0",
            crops=6,
        ),
        MetricSpec(
            name="sriqa_clip",
            summary="the paper's metric: CLIP ViT-B/32 and five quality prompts",
            encoder="CLIP ViT-B/32",
            build=_clip,
            bundled=None,
            score_range="about 1 to 5 before calibration",
            license="of the weights file",
        ),
        MetricSpec(
            name="sriqa_dbcnn",
            summary="DBCNN: VGG-16 and SCNN, bilinear",
            encoder="VGG-16 + SCNN",
            build=_dbcnn,
            bundled=None,
            score_range="about 0 to 1 before calibration",
            license="of the weights file",
        ),
        MetricSpec(
            name="sriqa_hyperiqa",
            summary="HyperIQA: ResNet-50 and a hyper network",
            encoder="ResNet-50",
            build=_hyperiqa,
            bundled=None,
            score_range="about 0 to 1 before calibration",
            license="of the weights file",
        ),
    )
}


def find_spec(name: str) -> MetricSpec:
    """The metric of that name.

    Raises
    ------
    SriqaError
        If there is none; the message lists the names there are.
    """
    try:
        return CATALOG[name]
    except KeyError:
        raise SriqaError(f"unknown metric {name!r}; known: {', '.join(CATALOG)}") from None


def ways_out() -> str:
    """What somebody can do whose weights cannot be had; one sentence."""
    bundled = ", ".join(name for name, spec in CATALOG.items() if spec.bundled)
    if os.environ.get(REPO_VARIABLE):
        repo = f"unset {REPO_VARIABLE}"
    else:
        repo = f"name a repository of yours ({REPO_VARIABLE}=org/name)"
    return (
        f"Use a metric whose weights are in the package ({bundled}), give a local file "
        f"(--weights FILE, or weights= in Python), {repo}, or make weights with sriqa-calibrate"
    )


def file_in(repo: str, file: str) -> HubFile:
    """A file of a repository that is given as `org/name` or `org/name@revision`.

    Raises
    ------
    WeightsError
        If it is neither.
    """
    # A name begins with a letter or digit, so no part of a path is empty, `.` or `..`.
    match = re.fullmatch(rf"({_NAME}/{_NAME})(?:@({_NAME}(?:/{_NAME})*))?", repo, re.ASCII)
    if not match or ".." in repo:
        raise WeightsError(f"{REPO_VARIABLE}={repo!r}: expected org/name or org/name@revision")
    return HubFile(match[1], match[2] or "main", file, sha256=None)


def fetch_weights(wanted: HubFile) -> Path:
    """`hub.fetch` of a metric's weights; its error ends with what else can be done.

    Raises
    ------
    WeightsError
        If the file cannot be had, or is not what it should be.
    """
    try:
        return fetch(wanted)
    except WeightsError as error:
        raise WeightsError(f"{error}. {ways_out()}") from None
