"""Seconds per image of a folder run, beside the plain loop, in one run.

The plain loop is what one writes first: open an image, make it a float tensor, cut its crops, send
them through timm's network (batch norms in place, default memory layout) all at once, go on.

    python benchmarks/score.py [FOLDER]

Without a folder, 24 made images of 512x512 are scored. Needs timm (extra `test`).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image

import sriqa_metric as sriqa
from sriqa_metric.crops import read_crops
from sriqa_metric.scoring import score_stream

ROUNDS = 5


def make_images(folder: Path, count: int = 24, side: int = 512) -> list[Path]:
    """Images with detail like a photo's: noise smoothed a little, saved as PNG."""
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{index:02}.png")
    return sorted(folder.iterdir())


def timed(run: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main(folder: Path | None) -> None:
    """Time both ways in turn, then the cold start."""
    metric = sriqa.load("sriqa_lite")
    network = timm.create_model("efficientnet_lite0", features_only=True).eval()

    def plain(paths: list[Path]) -> None:
        for path in paths:
            pixels = np.array(Image.open(path).convert("RGB"))
            image = torch.from_numpy(pixels).permute(2, 0, 1).float().contiguous() / 255
            with torch.no_grad():
                maps = network(read_crops(image, metric.policy).contiguous() * 2 - 1)
                stats = [s for x in maps for s in (x.mean((2, 3)), x.std((2, 3)))]
                codes = (torch.cat(stats, 1) - metric.quality_model.centre).mean(0, keepdim=True)
                metric.read(codes * metric.quality_model.scale)

    with tempfile.TemporaryDirectory() as made:
        paths = sorted(folder.iterdir()) if folder else make_images(Path(made))
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(timed(lambda: list(score_stream(metric, paths))) / len(paths))
            theirs.append(timed(lambda: plain(paths)) / len(paths))
        cold = [
            timed(lambda c=code: subprocess.run([sys.executable, "-c", c], check=True))
            for code in ("import torch", _first_score(paths[0]))
        ]
        text = [sys.executable, "-m", "sriqa_metric.cli.score", "--help"]
        helped = timed(lambda: subprocess.run(text, check=True, stdout=subprocess.DEVNULL))

    print(f"{len(paths)} images, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"sriqa_metric   {_spread(ours)} s/image")
    print(f"plain loop     {_spread(theirs)} s/image")
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    print(f"plain / ours   {_spread(ratios)}")
    print(f"import torch {cold[0]:.2f} s, cold start to first score {cold[1]:.2f} s")
    print(f"--help {helped:.2f} s")


def _first_score(path: Path) -> str:
    return f"import sriqa_metric as s; s.load('sriqa_lite').score({str(path)!r})"


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
