"""A metric that costs nothing, and a small data set of real image files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sriqa_metric.errors import SriqaError


class MeanScorer:
    """Mean brightness, or with ground truth the distance from that of it.

    It counts what it reads, and stops as it is told.
    """

    cached = True
    tolerance = 0.0

    def __init__(
        self,
        name: str = "mean",
        stop_after: int | None = None,
        higher_is_better: bool = True,
        needs_reference: bool = False,
    ) -> None:
        self.name = name
        self.weights_id = f"{name} 1"
        self.read: list[Path] = []
        self.stop_after = stop_after
        self.higher_is_better = higher_is_better
        self.needs_reference = needs_reference

    def score(
        self, paths: Iterable[Path], references: Sequence[Path] = ()
    ) -> Iterator[float | SriqaError]:
        for k, path in enumerate(paths):
            if len(self.read) == self.stop_after:
                raise KeyboardInterrupt
            self.read.append(path)
            try:
                mean = _mean(path)
                yield abs(mean - _mean(references[k])) if self.needs_reference else mean
            except OSError:
                yield SriqaError(f"{path}: no image")


def _mean(path: Path) -> float:
    with Image.open(path) as image:
        return float(np.asarray(image).mean())


def make_mos_root(root: Path) -> Path:
    """`labels.csv` of 12 gray images in 4 contents, the brighter the better."""
    root.mkdir()
    lines = ["path,mos,content"]
    for k in range(12):
        Image.new("L", (8, 8), 10 * k).save(root / f"{k}.png")
        lines.append(f"{k}.png,{k * k},c{k % 4}")
    (root / "labels.csv").write_text("\n".join([*lines, ""]))
    return root
