"""Every metric of the package: what it is made of, and where its weights come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import SriqaError

if TYPE_CHECKING:
    from .quality_models import QualityModel


@dataclass(frozen=True)
class HubFile:
    """A file on the Hugging Face Hub.

    Parameters
    ----------
    repo : str
        `org/name`.
    revision : str
        Commit, tag or branch; of released weights always the full commit.
    file : str
        Name in the repository.
    sha256 : str or None
        What the file's bytes must hash to, 64 hex digits; None only for a user's own repository.
    """

    repo: str
    revision: str
    file: str
    sha256: str | None


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
    licence : str
        Licence of the weights.
    released : HubFile or None
        Weights on the Hub. The day weights are published, this entry is all that changes.
    """

    name: str
    summary: str
    encoder: str
    build: Callable[[], QualityModel]
    bundled: Path | None
    score_range: str
    licence: str
    released: HubFile | None = None


def _lite() -> QualityModel:
    from .quality_models.lite import LiteQualityModel

    return LiteQualityModel()


def _clip() -> QualityModel:
    from .quality_models.clip import ClipQualityModel

    return ClipQualityModel()


def _dbcnn() -> QualityModel:
    from .quality_models.dbcnn import DBCNNQualityModel

    return DBCNNQualityModel()


def _hyperiqa() -> QualityModel:
    from .quality_models.hyperiqa import HyperIQAQualityModel

    return HyperIQAQualityModel()


_BUNDLED = Path(__file__).parent / "bundled"

CATALOG: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        MetricSpec(
            name="sriqa_lite",
            summary="EfficientNet-Lite0 calibrated on 14 SR methods by a stand-in ranking",
            encoder="EfficientNet-Lite0",
            build=_lite,
            bundled=_BUNDLED / "sriqa_lite.safetensors",
            score_range="unbounded",
            licence="Apache-2.0",
        ),
        MetricSpec(
            name="sriqa_clip",
            summary="the paper's metric: CLIP ViT-B/32 and five quality prompts",
            encoder="CLIP ViT-B/32",
            build=_clip,
            bundled=None,
            score_range="about 1 to 5 before calibration",
            licence="of the weights file",
        ),
        MetricSpec(
            name="sriqa_dbcnn",
            summary="DBCNN: VGG-16 and SCNN, bilinear",
            encoder="VGG-16 + SCNN",
            build=_dbcnn,
            bundled=None,
            score_range="about 0 to 1 before calibration",
            licence="of the weights file",
        ),
        MetricSpec(
            name="sriqa_hyperiqa",
            summary="HyperIQA: ResNet-50 and a hyper network",
            encoder="ResNet-50",
            build=_hyperiqa,
            bundled=None,
            score_range="about 0 to 1 before calibration",
            licence="of the weights file",
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
