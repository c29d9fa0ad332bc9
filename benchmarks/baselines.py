"""Held-out contents and photos: who stands above whom, by sriqa_lite and metrics without weights.

    python benchmarks/baselines.py --set data.sr=DIR --set data.photos=DIR -o baselines.md

The split is that of a `sriqa-calibrate train-quality-model sriqa_lite` run with these settings; the
folder of SR results has the originals as the method `HR`, and `LR/` beside the methods. Shares are
over contents or ladders, with 95 % intervals by a bootstrap over them. Needs pyiqa, whose license
is non-commercial.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pyiqa
from PIL import Image
from scipy.stats import bootstrap
from simple_scores import laplacian_variance

import sriqa_metric as sriqa
from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.data.distortions import DISTORTIONS, ON_SR, ladder, recompressed
from sriqa_metric.calibrate.data.splits import read_data
from sriqa_metric.calibrate.data.sr_results import find_images, pixels
from sriqa_metric.calibrate.features.extract import window_of
from sriqa_metric.images import as_float, to_tensor

LEVELS, SIZE, PHOTOS = 4, 224, 32
ORDERS = (
    ("HR", "osediff"),
    ("osediff", "realesrgan_x4plus"),
    ("realesrgan_x4plus", "span_x4_ch52"),
    ("realesrgan_x4plus", "bicubic"),
    ("realesr_general_x4v3", "bicubic"),
    ("span_x4_ch52", "bicubic"),
)
Metric = Callable[[np.ndarray], float]


def metrics() -> dict[str, Metric]:
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


def enlarged(small: Path, like: np.ndarray) -> np.ndarray:
    """The LR input at the size of a result, every pixel repeated."""
    with Image.open(small) as image:
        size = (like.shape[1], like.shape[0])
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.NEAREST))


def severity(metric: Metric, ladders: list[np.ndarray]) -> np.ndarray:
    """Of each ladder the share of pairs in the right order."""
    scores = np.array([[metric(image) for image in images] for images in ladders])
    better, worse = np.triu_indices(1 + LEVELS, 1)
    return (scores[:, better] > scores[:, worse]).mean(1)


def told(shares: np.ndarray) -> str:
    """Mean and interval."""
    if np.ptp(shares) == 0:
        return f"{shares.mean():.2f}"
    found = bootstrap((shares,), np.mean, method="percentile", rng=np.random.default_rng(0))
    low, high = found.confidence_interval
    return f"{shares.mean():.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Score, count, write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    config = load_config("sriqa_lite", arguments.set)
    data = read_data(config)
    held = data.held(data.full.methods)
    results = {m: [pixels(path) for path in held.images(m)] for m in held.methods}
    small = {path.stem: path for path in find_images(Path(config.data.sr, "LR"))}
    inputs = [
        enlarged(small[content], image)
        for content, image in zip(held.contents, results["HR"], strict=True)
    ]

    def ladders(paths: list[Path], kinds: tuple[str, ...]) -> list[np.ndarray]:
        """A ladder of every kind on each image."""
        made = []
        for index, (path, kind) in enumerate(product(paths, kinds)):
            rng = np.random.default_rng([config.seed, index])
            image = pixels(path)
            top, left = window_of(image, SIZE, rng, path)
            window = np.ascontiguousarray(image[top : top + SIZE, left : left + SIZE])
            made.append(ladder(window, kind, LEVELS, rng))
        return made

    on_photos = ladders(data.held_photos[:PHOTOS], tuple(DISTORTIONS))
    some = [held.paths[m, c] for c in held.contents for m in held.methods][:: len(held.methods) + 1]
    on_sr = ladders(some, ON_SR)
    columns: dict[str, list[str]] = {}
    for name, metric in metrics().items():
        scores = {m: np.array([metric(x) for x in images]) for m, images in results.items()}
        low = np.array([metric(image) for image in inputs])
        rows = {f"{a} above {b}": scores[a] > scores[b] for a, b in ORDERS}
        rows["the LR input, enlarged, above realesrgan_x4plus"] = low > scores["realesrgan_x4plus"]
        for codec, quality in (("WEBP", 90), ("JPEG", 75)):
            kept = np.concatenate([scores[m] for m in held.methods])
            traced = [
                metric(recompressed(x, codec, quality)) for m in held.methods for x in results[m]
            ]
            rows[f"rises by {codec} of quality {quality}"] = np.array(traced) > kept
        by_kind = severity(metric, on_photos)
        rows["severity, photos"] = by_kind
        rows["severity, SR results"] = severity(metric, on_sr)
        for place, kind in enumerate(DISTORTIONS):
            rows[f"severity, {kind}"] = by_kind[place :: len(DISTORTIONS)]
        columns[name] = [told(np.asarray(shares, dtype=float)) for shares in rows.values()]
        labels = list(rows)
    lines = [
        f"{len(held.contents)} held-out contents, {len(held.methods)} methods, {PHOTOS} "
        f"held-out photos, {len(some)} SR results; shares with 95 % intervals.",
        "",
        "| | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for place, label in enumerate(labels):
        lines.append(f"| {label} | " + " | ".join(c[place] for c in columns.values()) + " |")
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
