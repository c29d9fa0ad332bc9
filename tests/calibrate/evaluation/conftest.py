"""A metric that costs nothing, and small data sets of real image files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.evaluation import run
from sriqa_metric.errors import SriqaError


class MeanScorer:
    """Mean brightness; counts what it reads, and stops as it is told."""

    def __init__(self, name: str = "mean", stop_after: int | None = None) -> None:
        self.name = name
        self.weights_id = f"{name} 1"
        self.read: list[Path] = []
        self.stop_after = stop_after

    def score(self, paths: Iterable[Path]) -> Iterator[float | SriqaError]:
        for path in paths:
            if len(self.read) == self.stop_after:
                raise KeyboardInterrupt
            self.read.append(path)
            try:
                with Image.open(path) as image:
                    yield float(np.asarray(image).mean())
            except OSError:
                yield SriqaError(f"{path}: no image")


@pytest.fixture
def mean_scorer(monkeypatch) -> MeanScorer:
    """Stands in for every metric that is asked for."""
    scorer = MeanScorer()
    monkeypatch.setattr(run, "make_scorer", lambda name, device: scorer)
    return scorer


@pytest.fixture
def mos_root(tmp_path) -> Path:
    """`labels.csv` of 12 gray images in 4 contents, the brighter the better."""
    root = tmp_path / "made"
    root.mkdir()
    lines = ["path,mos,content"]
    for k in range(12):
        Image.new("L", (8, 8), 10 * k).save(root / f"{k}.png")
        lines.append(f"{k}.png,{k * k},c{k % 4}")
    (root / "labels.csv").write_text("\n".join([*lines, ""]))
    return root
