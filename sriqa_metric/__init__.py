"""Blind quality scores for super-resolved images.

    import sriqa_metric as sriqa

    metric = sriqa.load("sriqa_lite")
    metric.score("image.png")

Importing the package imports neither torch nor pyiqa; the names below do when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .crops import CropPolicy
    from .metric import CalibratedMetric
    from .weights import load

__version__ = "0.1.0"

_HOME = {
    "CalibratedMetric": "metric",
    "CropPolicy": "crops",
    "load": "weights",
}

__all__ = ["CalibratedMetric", "CropPolicy", "__version__", "list_metrics", "load"]


def list_metrics() -> list[str]:
    """Names that `load` takes."""
    from .catalog import CATALOG

    return list(CATALOG)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
