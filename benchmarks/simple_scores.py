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
from pathlib import Path

import numpy as np
from brisque import BRISQUE
from PIL import Image
from scipy.ndimage import laplace

_brisque = BRISQUE(url=False)


def scores(path: Path) -> tuple[float, float]:
    """BRISQUE, lower is better, and the variance of the Laplacian of the gray image."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    return float(_brisque.score(pixels)), float(laplace(pixels.mean(2)).var())


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
