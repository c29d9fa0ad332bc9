"""Weights files of metrics that have none: random values, to prove the way and not the score."""

from __future__ import annotations

from pathlib import Path

import torch

from sriqa_metric.crops import CropPolicy
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.registry import find_spec
from sriqa_metric.weights.format import save_weights


def random_metric(name: str, policy: CropPolicy | None = None) -> CalibratedMetric:
    """The metric with random weights, the same in every call; the rectifier does something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = find_spec(name).build()
        rectifier = Rectifier(model.feature_dim)
        torch.nn.init.normal_(rectifier.out.weight, std=1e-2)
        if name == "sriqa_clip":
            torch.nn.init.normal_(model.text)
    return CalibratedMetric(name, model, rectifier, policy or CropPolicy())


def save_random(name: str, folder: Path, policy: CropPolicy | None = None) -> Path:
    """Write `<folder>/<name>.safetensors` with random weights."""
    path = folder / f"{name}.safetensors"
    save_weights(path, random_metric(name, policy), {"training_data": "none: random weights"})
    return path
