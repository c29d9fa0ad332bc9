"""Images a second of one process and of Ray workers, and what Ray costs an image.

    python benchmarks/scale.py

Every worker has one processor; rates are from the first row to the last, seconds until the first
row apart. Needs the extra `ray`.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import ray
import torch
from PIL import Image

import sriqa_metric as sriqa
from sriqa_metric.crops import CropPolicy
from sriqa_metric.scale import score_dataset
from sriqa_metric.scoring import score_stream
from sriqa_metric.weights.format import save_weights

LARGE, SMALL = 200, 4000  # images of 512×512 and of 32×32 pixels
_BATCH = 16  # rows come together


def main() -> None:
    """Measure and print a Markdown table."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        coarse = rng.integers(0, 256, (LARGE, 128, 128, 3), dtype=np.uint8)
        for number, pixels in enumerate(coarse):
            save(Image.fromarray(pixels).resize((512, 512)), folder / "large" / f"{number}.png")
        for number, pixels in enumerate(rng.integers(0, 256, (SMALL, 32, 32, 3), dtype=np.uint8)):
            save(Image.fromarray(pixels), folder / "small" / f"{number}.png")
        quick = sriqa.load(policy=CropPolicy(size=32, number=1))
        weights = folder / "quick.safetensors"
        save_weights(weights, quick, {"training_data": {}})
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        print("| images | crops | who | images/s | ratio | ms/image | s until the first |")
        print("|---|---|---|---|---|---|---|")
        for kind, size, file in (("large", 512, None), ("small", 32, weights)):
            paths = sorted((folder / kind).iterdir())
            metric = sriqa.load(weights=file)
            crops = metric.policy.number
            base = 0.0
            for workers in (0, 1, 2):
                start = time.perf_counter()
                if workers:
                    stamps: list[float] = []
                    shutil.rmtree(folder / "out", ignore_errors=True)

                    score_dataset(
                        [str(path) for path in paths],
                        weights=file,
                        output=folder / "out",
                        workers=workers,
                        track=partial(stamped, stamps),
                    )
                else:
                    stamps = [time.perf_counter() for _ in score_stream(metric, paths)]
                first, rest = stamps[0], len(stamps) - _BATCH
                rate = rest / (stamps[-1] - first)
                base = base or rate
                who = f"Ray, {workers} worker{'s' * (workers > 1)}" if workers else "one process"
                print(
                    f"| {len(paths)} of {size}×{size} | {crops} | {who} | {rate:.1f} | "
                    f"{rate / base:.2f} | {1000 / rate:.1f} | {first - start:.1f} |",
                    flush=True,
                )


def stamped(
    stamps: list[float], errors: Iterable[str | None], total: int | None
) -> Iterator[str | None]:
    """Note when each row comes."""
    for error in errors:
        stamps.append(time.perf_counter())
        yield error


def save(image: Image.Image, path: Path) -> None:
    """Write a PNG."""
    path.parent.mkdir(exist_ok=True)
    image.save(path)


if __name__ == "__main__":
    main()
