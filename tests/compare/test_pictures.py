"""Which images are shown, and how: small, ordered, and each with its map."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.compare import Comparison
from sriqa_metric.compare.comparisons import Comparisons
from sriqa_metric.compare.pictures import (
    COLOURS,
    LONGEST_SIDE,
    MAP_SIDE,
    MOST_CONTENTS,
    most_different,
)
from sriqa_metric.errors import SriqaError
from sriqa_metric.quality_map import QualityMap
from tests.conftest import EXAMPLES

METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")


@pytest.fixture
def made(rng, tmp_path):
    """Makes comparisons of methods a and b by scores (2, n); all have pictures."""

    def made(scores, data_set="", **known) -> Comparison:
        contents = [f"c{k}" for k in range(len(scores[0]))]
        paths = tuple(
            tuple(str(tmp_path / f"{data_set}{c}_{m}.png") for c in contents) for m in "ab"
        )
        for path in (path for row in paths for path in row):
            pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        known = {"metric": "m", "weights": "w", "paths": paths, "data_set": data_set, **known}
        return Comparison.from_scores(["a", "b"], np.array(scores, float), contents, **known)

    return made


def names_of(*each: Comparison) -> list[str]:
    return [f"{one.data_set}{one.name}" for one in most_different(Comparisons(each))]


def opened(data: str) -> Image.Image:
    head, text = data.split(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_the_widest_range_comes_first(made):
    assert names_of(made([np.arange(8), np.zeros(8)])) == ["c7", "c6", "c5", "c4", "c3", "c2"]
    assert names_of(made([[1, 2], [1, 2]])) == ["c0", "c1"]


def test_the_range_is_that_of_all_metrics_each_in_its_own_unit(made):
    first = made([[0, 0, 0], [3, 2, 0]])
    large = made([[0, 0, 0], [0, 200, 100]], metric="n")
    assert names_of(first, large) == ["c1", "c0", "c2"]


def test_data_sets_share_the_places(made):
    x, y = made([[0] * 4, [1, 2, 3, 4]], "x"), made([[0] * 5, [5, 4, 3, 2, 1]], "y")
    found = names_of(x, y)
    assert len(found) == MOST_CONTENTS
    assert {name[0] for name in found} == {"x", "y"}


@pytest.mark.parametrize(("higher", "first"), [(True, "b"), (False, "a")])
def test_the_best_by_the_first_metric_is_first(made, higher, first):
    by = made([[1, 1], [2, 2.5]], higher_is_better=higher)
    other = made([[8, 9], [7, 6]], metric="n")
    pictures = most_different(Comparisons((by, other)))[0].pictures
    assert pictures[0].method == first
    shown = {picture.method: [float(text) for _, text in picture.scores] for picture in pictures}
    assert shown == {"a": [1, 9], "b": [2.5, 6]}
    assert [one for one, _ in pictures[0].scores] == [by, other]


def test_large_pictures_are_reduced(made, rng):
    one = made([[1], [2]])
    pixels = rng.integers(0, 256, (700, 350, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(one.paths[0][0])
    small, large = most_different(Comparisons((one,)))[0].pictures
    assert (large.width, large.height) == (LONGEST_SIDE / 2, LONGEST_SIDE)
    assert (small.width, small.height) == (30, 20)
    assert opened(large.data).size == (LONGEST_SIDE / 2, LONGEST_SIDE)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_colours_are_those_of_the_file(made, depth):
    one = made([[1], [2]])
    gray = np.full((20, 30), 0.25 * np.iinfo(depth).max, depth)
    Image.fromarray(gray).save(one.paths[0][0])
    shown = opened(most_different(Comparisons((one,)))[0].pictures[1].data)
    assert np.asarray(shown.convert("L")) == pytest.approx(64, abs=2)


@pytest.mark.answers(
    "Outputs",
    "a picture of the page of `sriqa-compare` that is gone since it was scored",
    "told in its place",
)
def test_a_picture_that_is_gone(made, tmp_path):
    one = made([[1], [2]])
    (tmp_path / "c0_b.png").unlink()
    gone, there = most_different(Comparisons((one,)))[0].pictures
    assert "c0_b.png: no such file" in gone.problem
    assert (gone.data, there.problem) == ("", "")
    assert there.data


@pytest.mark.answers(
    "Outputs",
    "a picture of the page of `sriqa-compare` over the limit of pixels",
    "told in its place",
)
def test_the_limit_of_pixels_is_that_of_the_caller(made):
    one = made([[1], [2]])
    for picture in most_different(Comparisons((one,)), max_pixels=599)[0].pictures:
        assert "over the limit of 0.000599" in picture.problem
        assert not picture.data
    assert all(p.data for p in most_different(Comparisons((one,)), max_pixels=600)[0].pictures)


def test_scores_alone_have_no_pictures(made):
    assert most_different(Comparisons((made([[1], [2]], paths=()),))) == []


def test_a_content_that_one_metric_lacks(made):
    whole = made([[1, 1], [2, 9]])
    part = Comparison.from_scores(
        ["a", "b"], np.array([[5], [6]]), ["c0"], metric="n", weights="w", paths=(("x",), ("y",))
    )
    first, second = most_different(Comparisons((part, whole)))
    assert {first.name, second.name} == {"c0", "c1"}
    lone = first if first.name == "c1" else second
    assert [[one.metric for one, _ in p.scores] for p in lone.pictures] == [["m"], ["m"]]


def a_map(scores: list[float]) -> QualityMap:
    """Of a picture of 20×30, left and right."""
    lefts = np.arange(len(scores))
    return QualityMap(
        np.array([scores], np.float32), np.array([0]), lefts, 20, 20, 30, 0.0, "mapped", "w"
    )


def test_maps_of_a_content_share_their_scale(made):
    one = made([[1], [2]])
    maps = {one.paths[0][0]: a_map([1.0]), one.paths[1][0]: a_map([3.0])}
    (content,) = most_different(Comparisons((one,)), maps.__getitem__)
    assert (content.map_metric, content.low, content.high) == ("mapped", "1.00", "3.00")
    best, worst = content.pictures
    for picture, colour in ((best, COLOURS[-1]), (worst, COLOURS[0])):
        found = np.asarray(opened(picture.heat), float).mean((0, 1))
        for expected, channel in zip(colour, found, strict=True):
            # 0.55 of the colour over light gray of 85 to 255.
            assert 0.55 * expected + 38 - 5 < channel < 0.55 * expected + 115 + 5


def test_a_map_that_cannot_be_made_leaves_the_picture(made):
    one = made([[1], [2]])

    def broken(path: str) -> QualityMap:
        raise SriqaError("too many windows")

    (content,) = most_different(Comparisons((one,)), broken)
    assert content.map_metric == ""
    for picture in content.pictures:
        assert picture.data
        assert not picture.heat
        assert picture.problem == "no quality map: too many windows"


@pytest.mark.slow
def test_maps_of_real_pictures_are_small(lite):
    paths = tuple((str(EXAMPLES / f"coffee_{method}.png"),) for method in METHODS)
    one = Comparison.from_scores(
        METHODS, np.arange(3.0)[:, None], metric="m", weights="w", paths=paths
    )
    (content,) = most_different(Comparisons((one,)), lite.quality_map)
    for picture in content.pictures:
        assert max(opened(picture.heat).size) == MAP_SIDE
        assert len(picture.heat) < 20_000
        assert len(picture.data) < 120_000
