"""A small made world: three methods, the better the less they blur."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sriqa_metric.calibrate.features import store as feature_store
from tests.calibrate.tiny import make_images

BLUR = {"sharp": 0.0, "soft": 1.5, "dull": 4.0}


def _photo(seed: int, side: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    layers = [
        Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize((side, side))
        for n in (8, side // 4)
    ]
    return Image.blend(*layers, 0.4)


@pytest.fixture(scope="session")
def made_data(tmp_path_factory) -> Path:
    """`sr/` with ranking.csv, `photos/`, and `rated/`, whose MOS fall with the blur."""
    root = tmp_path_factory.mktemp("data")
    for method, radius in BLUR.items():
        (root / "sr" / method).mkdir(parents=True)
        for content in range(6):
            image = _photo(content, 232).filter(ImageFilter.GaussianBlur(radius))
            image.save(root / "sr" / method / f"c{content}.png")
    ranking = [f"{method},{-radius}" for method, radius in BLUR.items()]
    (root / "sr" / "ranking.csv").write_text("\n".join(["method,mu", *ranking, ""]))
    (root / "photos").mkdir()
    for index in range(6):
        _photo(100 + index, 240).save(root / "photos" / f"{index}.png")
    (root / "rated").mkdir()
    lines = ["path,mos,content,split"]
    for index in range(16):
        radius = index % 8 / 2
        picture = _photo(200 + index, 240).filter(ImageFilter.GaussianBlur(radius))
        picture.save(root / "rated" / f"{index}.png")
        part = "training" if index < 12 else "validation"
        lines.append(f"{index}.png,{10 - radius},{index},{part}")
    (root / "rated" / "labels.csv").write_text("\n".join([*lines, ""]))
    return root


@pytest.fixture
def images(tmp_path) -> list[Path]:
    """Twelve small pictures."""
    return make_images(tmp_path / "images", 12)


@pytest.fixture
def small_shards(monkeypatch) -> None:
    """Shards of four images."""
    monkeypatch.setattr(feature_store, "_SHARD", 4)
