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
    """

    name: str
    summary: str
    encoder: str
    build: Callable[[], QualityModel]
    bundled: Path | None
    score_range: str
    licence: str


def _lite() -> QualityModel:
    from .quality_models.lite import LiteQualityModel

    return LiteQualityModel()


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
