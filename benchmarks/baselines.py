"""Held-out figures of metrics that need no download, beside the bundled metric.

    python benchmarks/baselines.py --set data.sr=DIR --set data.photos=DIR -o baselines.md

The split, the ladders and the figures are those of a `sriqa-calibrate train sriqa_lite` run.
Needs pyiqa, whose license is non-commercial.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyiqa
from scipy.ndimage import laplace

import sriqa_metric as sriqa
from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.data.distortions import recompressed
from sriqa_metric.calibrate.data.splits import read_data
from sriqa_metric.calibrate.data.sr_results import pixels
from sriqa_metric.calibrate.features.extract import random_ladder
from sriqa_metric.calibrate.statistics import (
    image_pairs_right,
    method_srcc,
    pairs_right,
    severity_right,
)
from sriqa_metric.images import as_float, to_tensor

LEVELS, SIZE = 4, 224


def laplacian_variance(image: np.ndarray) -> float:
    """Variance of the Laplacian of the gray image: plain sharpness."""
    return float(laplace(image.mean(2)).var())


def metrics() -> dict[str, Callable[[np.ndarray], float]]:
    """Name -> score of (H, W, 3) uint8 pixels, higher is better."""
    rng = np.random.default_rng(0)
    piqe = pyiqa.create_metric("piqe", device="cpu")
    lite = sriqa.load("sriqa_lite")
    return {
        "sriqa_lite": lambda image: lite.score(image),
        "Laplacian variance": laplacian_variance,
        "PIQE (pyiqa, sign turned)": lambda image: -piqe(as_float(to_tensor(image))[None]).item(),
        "random": lambda image: rng.random(),
    }


def main() -> None:
    """Score, count, write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    config = load_config("sriqa_lite", arguments.set)
    data = read_data(config)
    held = data.held(data.full.methods)
    results = [[pixels(path) for path in held.images(method)] for method in held.methods]
    ladders = [
        random_ladder(path, SIZE, LEVELS, False, np.random.default_rng([config.seed, index]))
        for index, path in enumerate(data.held_photos)
    ]
    lines = [
        f"{len(held.contents)} held-out contents, {len(held.methods)} methods, "
        f"{len(ladders)} held-out photos.",
        "",
        "| | SRCC of method means | method pairs | image pairs | severity | rises by WebP |",
        "|---|---|---|---|---|---|",
    ]
    for name, metric in metrics().items():
        scores = np.array([[metric(image) for image in row] for row in results])
        traced = np.array(
            [[metric(recompressed(image, "WEBP", 90)) for image in row] for row in results]
        )
        severity = np.array([[metric(image) for image in ladder] for ladder in ladders])
        figures = (
            method_srcc(scores, held.mu),
            pairs_right(scores, held.mu),
            image_pairs_right(scores, held.mu),
            severity_right(severity),
            float((traced > scores).mean()),
        )
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in figures) + " |")
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
