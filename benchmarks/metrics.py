"""Parameters and seconds per image of every metric, in turn in one run, as a Markdown table.

Weights are random, which takes as long as any others. An image of 512x512 is a tensor in memory;
seconds are medians (lowest-highest) of rounds, after a first call.

    python benchmarks/metrics.py [cuda]

Needs the extra `clip`.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch

from sriqa_metric.crops import CropPolicy
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.registry import CATALOG, MetricSpec

ROUNDS = 7


def make(spec: MetricSpec, device: str) -> CalibratedMetric:
    """The metric with random weights."""
    model = spec.build()
    metric = CalibratedMetric(
        spec.name, model, Rectifier(model.feature_dim), CropPolicy(number=spec.crops)
    )
    return metric.eval().requires_grad_(False).to(device)


def main(device: str) -> None:
    """Print the table."""
    torch.manual_seed(0)
    metrics = [make(spec, device) for spec in CATALOG.values()]
    image = torch.rand(1, 3, 512, 512, device=device)
    seconds: dict[str, list[float]] = {metric.name: [] for metric in metrics}
    for _ in range(1 + ROUNDS):
        for metric in metrics:
            start = time.perf_counter()
            metric(image).item()
            seconds[metric.name].append(time.perf_counter() - start)
    where = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} cores"
    print(f"| metric | parameters | s per 512x512 image, {where} |\n|---|---|---|")
    for metric in metrics:
        found = seconds[metric.name][1:]
        count = sum(parameter.numel() for parameter in metric.parameters()) / 1e6
        middle, low, high = statistics.median(found), min(found), max(found)
        print(f"| `{metric.name}` | {count:.1f} M | {middle:.2f} ({low:.2f}-{high:.2f}) |")


if __name__ == "__main__":
    main("cuda" if "cuda" in sys.argv[1:] else "cpu")
