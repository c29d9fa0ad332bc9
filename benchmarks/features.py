"""Images per second of filling a feature store, beside its two ceilings, in one run.

The ceilings: decoding alone, in the same threads with no network, and the network alone, on random
crops that are already in the device's memory, as many for each image as the store takes. Medians
(lowest-highest) of rounds in turn, every round on new images of 512x512, after a first round.

    python benchmarks/features.py [cuda] [--metric sriqa_clip]

`sriqa_lite` has its weights, `sriqa_clip` random ones (and needs the extra `clip`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import sriqa_metric as sriqa
from sriqa_metric.calibrate.features.store import FeatureStore
from sriqa_metric.crops import CropPolicy
from sriqa_metric.images import read_image
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.registry import find_spec
from sriqa_metric.scoring import map_ahead

ROUNDS = 5
IMAGES = {"cpu": 8, "cuda": 512}  # of a round
DRAWS, CROPS = 8, 3


def make_images(folder: Path, count: int, seed: int, side: int = 512) -> list[Path]:
    """Images with detail like a photo's: noise smoothed a little, saved as PNG."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for index in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{index:03}.png")
    return sorted(folder.iterdir())


def make_metric(name: str) -> CalibratedMetric:
    """The metric, with random weights if it has none."""
    if find_spec(name).bundled:
        return sriqa.load(name)
    torch.manual_seed(0)
    return CalibratedMetric(name, find_spec(name).build(), None, CropPolicy(), "random")


def decode(paths: list[Path], workers: int) -> None:
    """Decode the images in as many threads as the store does."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in map_ahead(pool, read_image, paths, depth=workers):
            pass


@torch.inference_mode()
def encode(metric: CalibratedMetric, crops: torch.Tensor, number: int) -> None:
    """Send so many crops through the network, in full batches, and wait for the last."""
    for start in range(0, number, len(crops)):
        codes = metric.encode(crops[: number - start])
    codes.cpu()


def rate(run: Callable[[], object], images: int) -> float:
    """Images per second of one call."""
    start = time.perf_counter()
    run()
    return images / (time.perf_counter() - start)


def main(name: str, device: str) -> None:
    """Time all three in turn."""
    metric = make_metric(name).to(device)
    size, count = metric.policy.size, IMAGES[device]
    crops = torch.rand(metric.crops_per_pass, 3, size, size).to(device)
    crops = crops.contiguous(memory_format=torch.channels_last)  # as decoded images are
    number = count * (metric.policy.number + DRAWS * CROPS)
    workers = 1 if device == "cpu" else os.cpu_count() or 1
    rates: dict[str, list[float]] = {"fill": [], "decode only": [], "encode only": []}
    with tempfile.TemporaryDirectory() as made:
        store = FeatureStore(Path(made), metric, DRAWS, CROPS)
        for index in range(ROUNDS + 1):
            paths = make_images(Path(made) / str(index), count, index)
            rates["fill"].append(rate(lambda p=paths: store.fill(p), count))
            rates["decode only"].append(rate(lambda p=paths: decode(p, workers), count))
            rates["encode only"].append(rate(lambda: encode(metric, crops, number), count))
        kilobytes = store.size() / (count * (ROUNDS + 1)) / 1000
    where = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"{name} on {where}, torch {torch.__version__}, {workers} decoding")
    print(f"{number // count} crops and {kilobytes:.1f} kB an image, {count} images a round")
    for what, found in rates.items():
        spread = f"{statistics.median(found[1:]):.2f} ({min(found[1:]):.2f}-{max(found[1:]):.2f})"
        print(f"{what:12} {spread} images/s")
    shares = [
        a / min(b, c)
        for a, b, c in list(zip(*(found[1:] for found in rates.values()), strict=True))
    ]
    print(f"fill / lower ceiling {statistics.median(shares):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("device", nargs="?", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--metric", default="sriqa_lite")
    given = parser.parse_args()
    main(given.metric, given.device)
