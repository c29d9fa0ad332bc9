"""Scores of images by BRISQUE and by plain sharpness, as a CSV that `evaluate --scores` takes.

    python benchmarks/simple_scores.py < images.txt > simple.csv
    sriqa-calibrate evaluate --metric sriqa_lite --scores simple.csv ...

BRISQUE is PyPI's `brisque` with the model that it ships. It runs with numpy < 2.4, so it may need
an environment of its own, in which this package need not be.
"""

from __future__ import annotations

import csv
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import laplace


def laplacian_variance(image: np.ndarray) -> float:
    """Variance of the Laplacian of the gray image: plain sharpness."""
    return float(laplace(image.mean(2)).var())


@cache
def brisque_model() -> Any:
    """Once for a process, and only where it is asked for."""
    from brisque import BRISQUE

    return BRISQUE(url=False)


def scores(path: Path) -> tuple[float, float]:
    """BRISQUE, lower is better, and the variance of the Laplacian of an image file."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    return float(brisque_model().score(pixels)), laplacian_variance(pixels)


def main() -> None:
    """Read paths, one a line; score, write."""
    files = [Path(line.rstrip("\n")).absolute() for line in sys.stdin]
    writer = csv.writer(sys.stdout)
    writer.writerow(["path", "score", "metric", "higher_is_better"])
    with ProcessPoolExecutor() as pool:
        for path, (brisque, sharpness) in zip(files, pool.map(scores, files), strict=True):
            writer.writerow([path, brisque, "BRISQUE", "false"])
            writer.writerow([path, sharpness, "Laplacian variance", "true"])


if __name__ == "__main__":
    main()
