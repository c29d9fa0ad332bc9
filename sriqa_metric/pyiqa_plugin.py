"""The metrics of this package as metrics of pyiqa: `pyiqa.create_metric("sriqa_lite")`.

pyiqa (PolyForm Noncommercial and NTU S-Lab licenses) is not imported here; its modules are given.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from .registry import CATALOG, find_spec

if TYPE_CHECKING:
    import os
    from types import ModuleType

    from .crops import CropPolicy
    from .metric import CalibratedMetric

NETWORK = "sriqa_metric_network"  # name of the function below in pyiqa's registry of networks


def register() -> None:
    """Add every metric to pyiqa; any number of calls is one. pyiqa's entry point `pyiqa.archs`.

    Raises
    ------
    ImportError
        If pyiqa is not installed.
    """
    from pyiqa import default_model_configs
    from pyiqa.utils import registry

    add_configs(default_model_configs)
    add_network(registry)


def add_configs(default_model_configs: ModuleType) -> None:
    """Add our entries to pyiqa's table of metrics; names that are taken stay as they are."""
    configs = default_model_configs.DEFAULT_CONFIGS
    for name, spec in CATALOG.items():
        entry = {
            "metric_opts": {"type": NETWORK, "metric": name},
            "metric_mode": "NR",
            "lower_better": False,
            "score_range": spec.score_range,
        }
        if configs.setdefault(name, entry) != entry:
            _warn(f"pyiqa has a metric {name!r} of somebody else's already")


def add_network(registry: ModuleType) -> None:
    """Add our function to pyiqa's registry of networks."""
    networks = registry.ARCH_REGISTRY
    try:
        networks.register(sriqa_metric_network)
    except AssertionError:  # that is how pyiqa says that the name is taken
        if networks.get(NETWORK) is not sriqa_metric_network:
            _warn(f"pyiqa has a network {NETWORK!r} of somebody else's already")


def sriqa_metric_network(
    metric: str,
    pretrained: bool = True,
    pretrained_model_path: str | os.PathLike[str] | None = None,
    policy: CropPolicy | dict[str, int] | None = None,
) -> CalibratedMetric:
    """What `pyiqa.create_metric(metric, ...)` puts its interface around.

    Parameters
    ----------
    metric : str
        Name from the registry.
    pretrained : bool
        False leaves the weights random, for tests and for training from scratch.
    pretrained_model_path : path, optional
        A weights file (safetensors) to use instead of the released one.
    policy : CropPolicy or dict of its fields, optional
        Which crops are read, instead of the policy stored with the weights.

    Returns
    -------
    CalibratedMetric
        On the CPU. It leaves the check of the range [0, 1] to pyiqa, which makes it, but for
        losses, where a step of an optimiser may well leave the range.

    Raises
    ------
    SriqaError
        If weights cannot be had or a value is wrong.
    """
    from .crops import CropPolicy
    from .metric import CalibratedMetric
    from .models.rectifier import Rectifier
    from .weights.load import load

    if isinstance(policy, dict):
        policy = CropPolicy.from_dict(CropPolicy().to_dict() | policy)
    if pretrained:
        made = load(metric, pretrained_model_path, policy=policy)
    else:
        model = find_spec(metric).build()
        rectifier = Rectifier(model.feature_dim)
        made = CalibratedMetric(metric, model, rectifier, policy or CropPolicy())
    made.checks_range = False
    made.register_load_state_dict_post_hook(_forget_weights_id)
    return made


def _forget_weights_id(metric: CalibratedMetric, _: Any) -> None:
    """After pyiqa's `load_weights` the weights are no longer those of the file."""
    metric.weights_id = "unsaved"


def _warn(message: str) -> None:
    warnings.warn(f"{message}; it is left as it is", RuntimeWarning, stacklevel=2)
