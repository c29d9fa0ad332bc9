"""Blind quality scores for super-resolved images.

    import sriqa_metric as sriqa

    metric = sriqa.load("sriqa_lite")
    metric.score("image.png")

Importing the package imports neither torch nor pyiqa; the names below do when they are used. It
adds its metrics to pyiqa, now or when pyiqa is imported.
"""

from .pyiqa_hook import install
from .version import __version__

TYPE_CHECKING = False  # typing is not imported at every start of an interpreter
if TYPE_CHECKING:
    from typing import Any

    from .crops import CropPolicy
    from .metric import CalibratedMetric
    from .weights.load import load


_HOME = {
    "CalibratedMetric": "metric",
    "CropPolicy": "crops",
    "load": "weights.load",
}

__all__ = ["CalibratedMetric", "CropPolicy", "__version__", "list_metrics", "load"]


def list_metrics() -> list[str]:
    """Names that `load` takes."""
    from .registry import CATALOG

    return list(CATALOG)


def __getattr__(name: str) -> "Any":
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


install()
