"""What is written of a map: a picture, and rows that can be read back."""

import csv
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from sriqa_metric.errors import SriqaError
from sriqa_metric.map_picture import draw_map, write_map_csv
from sriqa_metric.quality_map import QualityMap


@pytest.fixture
def some_map(rng) -> QualityMap:
    return QualityMap(
        scores=rng.normal(size=(2, 3)).astype(np.float32),
        tops=np.array([0, 20]),
        lefts=np.array([0, 32, 60]),
        size=224,
        height=244,
        width=284,
        score=1.5,
        metric="sriqa_lite",
        weights="sha256:0123456789ab",
    )


@pytest.fixture
def image(rng) -> np.ndarray:
    return rng.integers(0, 256, (244, 284, 3), dtype=np.uint8)


@pytest.mark.answers(
    "Outputs", "a map as CSV", "one row per window with its place, score, metric and weights"
)
def test_csv_comes_back(some_map, tmp_path):
    path = tmp_path / "map.csv"
    write_map_csv(some_map, path)
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["top", "left", "size", "score", "metric", "weights"]
    corners = [(int(row["top"]), int(row["left"])) for row in rows]
    assert corners == [(0, 0), (0, 32), (0, 60), (20, 0), (20, 32), (20, 60)]
    scores = np.array([float(row["score"]) for row in rows])
    assert scores == pytest.approx(some_map.scores.ravel(), abs=1e-6)
    assert {(row["size"], row["metric"], row["weights"]) for row in rows} == {
        ("224", "sriqa_lite", "sha256:0123456789ab")
    }


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_picture_is_written(some_map, image, tmp_path, ending):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"map.{ending}"
    draw_map(some_map, image, path)
    if ending == "png":
        with Image.open(path) as found:
            assert found.width > found.height > 400
    assert path.stat().st_size > 10_000


def test_picture_does_not_depend_on_the_container(some_map, image, tmp_path):
    pytest.importorskip("matplotlib")
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    containers = [image, Image.fromarray(image), (tensor / 255).requires_grad_()]
    for number, container in enumerate(containers):
        draw_map(some_map, container, tmp_path / f"{number}.png")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.answers(
    "Work and memory", "a map of a large image", "is drawn smaller, below 2000 pixels a side"
)
def test_large_pictures_are_drawn_smaller(some_map, rng, tmp_path):
    pytest.importorskip("matplotlib")
    wide = QualityMap(**(vars(some_map) | {"height": 300, "width": 5003}))
    draw_map(wide, rng.integers(0, 256, (300, 5003, 3), dtype=np.uint8), tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as found:
        assert max(found.size) < 2000


@pytest.mark.answers(
    "Outputs",
    "a picture of a map in a program with figures of its own",
    "no setting of matplotlib is changed",
)
def test_no_state_of_matplotlib_is_touched(some_map, image, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    before = dict(matplotlib.rcParams)
    draw_map(some_map, image, tmp_path / "map.png")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.answers(
    "Images in memory", "a map drawn over another image than its own", "error with both sizes"
)
def test_an_image_of_another_size_is_refused(some_map, image, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(SriqaError, match="of 284×244 pixels, not 200×244"):
        draw_map(some_map, image[:, :200], tmp_path / "map.png")


def test_what_cannot_be_written_is_named(some_map, image, tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("no/such/folder/map.png", "map.xyz"):
        with pytest.raises(SriqaError, match=f"{name}: cannot "):
            draw_map(some_map, image, tmp_path / name)
    with pytest.raises(SriqaError, match="cannot be written: No such file"):
        write_map_csv(some_map, tmp_path / "no/such/folder/map.csv")


@pytest.mark.answers(
    "Outputs", "a picture of a map without matplotlib", "error with what to install"
)
def test_missing_matplotlib_is_one_clear_error(some_map, image, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SriqaError, match=r"pip install 'sriqa-metric\[plot\]'"):
        draw_map(some_map, image, tmp_path / "map.png")
