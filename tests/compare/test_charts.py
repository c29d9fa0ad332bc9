"""Axes and marks: everything is where it should be, and better is to the right."""

import numpy as np
import pytest

from sriqa_metric.compare import Comparison
from sriqa_metric.compare.charts import (
    WIDTH,
    Axis,
    distributions,
    intervals,
    scatter,
    scatters,
    strip,
)


def made(scores, contents=None, **known) -> Comparison:
    names = [f"method {k}" for k in range(len(scores))]
    known = {"metric": "m", "weights": "w", **known}
    return Comparison.from_scores(names, np.array(scores, float), contents, **known)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 10.0], ["0", "2", "4", "6", "8", "10"]),
        ([-1.0, 1.0], ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        ([3.0, 3.0], None),
        ([0.0, 0.0], None),
        ([1e9, 1e9 + 1], None),
        ([-1e-12, 1e-12], None),
    ],
)
def test_axis(values, labels):
    axis = Axis.over(np.array(values))
    places = [place for place, _ in axis.ticks]
    assert places == sorted(places)
    assert all(0 <= place <= WIDTH for place in places)
    assert 0 < axis.at(min(values)) <= axis.at(max(values)) < WIDTH
    if labels:
        assert [label for _, label in axis.ticks] == labels
    turned = Axis.over(np.array(values), higher_is_better=False)
    assert [label for _, label in turned.ticks] == [label for _, label in axis.ticks]
    for (there, _), (here, _) in zip(turned.ticks, axis.ticks, strict=True):
        assert there == pytest.approx(WIDTH - here, abs=0.11)  # of places rounded to 0.1


def test_strip_has_a_dot_for_every_score(rng):
    scores = rng.normal(size=50)
    assert strip(scores, Axis.over(scores)).count("h0") == 50


@pytest.mark.parametrize("higher", [True, False])
def test_rows_go_from_the_best_to_the_worst_and_from_right_to_left(rng, higher):
    scores = rng.normal([[0], [5], [2]], 1, (3, 20))
    comparison = made(scores, higher_is_better=higher)
    best = ["method 1", "method 2", "method 0"]
    for chart in (intervals, distributions):
        _, rows = chart(comparison, 2)
        assert [row.name for row in rows] == (best if higher else best[::-1])
        middles = [row.marks[1] for row in rows]
        assert middles == sorted(middles, reverse=True)
    (_, first), (_, second) = intervals(comparison, 2), distributions(comparison, 2)
    assert "95 % interval" in first[0].says
    assert "half of them between" in second[0].says


def test_one_content_has_no_interval():
    _, rows = intervals(made([[1], [2]]), 1)
    assert [(row.says, len(set(row.marks))) for row in rows] == [("mean 2.0", 1), ("mean 1.0", 1)]


def test_scatter_is_of_the_images_that_both_have():
    x = made([[1, 2, 3], [4, 5, 6]], ["a", "b", "c"])
    y = made([[60, 50], [30, 20]], ["c", "b"], metric="n")
    one = scatter(x, y)
    assert one.n == 4
    assert [dots.count("M") for dots in one.dots] == [2, 2]
    (left, up), (right, _) = (
        map(float, dot.removesuffix("h0").split()) for dot in one.dots[0][1:].split("M")
    )
    # b, then c: by x 2 and 3 of 2 to 6, by y 50 and 60 of 20 to 60; y goes down on a page.
    assert 0 < left < right < WIDTH / 2
    assert up == pytest.approx(WIDTH - one.y_axis.at(50))
    assert scatter(x, made([[1], [2]], ["d"])) is None


@pytest.mark.parametrize(("higher", "srcc"), [((True, True), -1), ((True, False), 1)])
def test_srcc_is_1_where_the_metrics_agree_on_which_is_better(higher, srcc):
    scores = np.arange(6).reshape(2, 3)
    x, y = made(scores, higher_is_better=higher[0]), made(-scores, higher_is_better=higher[1])
    assert scatter(x, y).srcc == pytest.approx(srcc)
    dots = "".join(scatter(x, y).dots)[1:].split("M")
    right, down = np.array([dot.removesuffix("h0").split() for dot in dots], float).T
    assert np.sign(np.diff(down)).tolist() == [-srcc] * 5
    assert (np.diff(right) > 0).all()


def test_srcc_is_that_of_scipy(rng):
    from scipy.stats import spearmanr

    x, y = rng.normal(size=(2, 3, 7)).round(1)
    expected = spearmanr(x.ravel(), y.ravel()).statistic
    assert scatter(made(x), made(y)).srcc == pytest.approx(expected)


@pytest.mark.parametrize("scores", [[[1], [2]], [[1, 1], [1, 1]]])
def test_no_srcc_of_two_dots_or_equal_scores(scores):
    assert scatter(made(scores), made(np.arange(len(scores[0]) * 2).reshape(2, -1))).srcc is None


def test_every_two_metrics_are_drawn(rng):
    found = scatters([made(rng.normal(size=(2, 4)), metric=str(k)) for k in range(4)])
    assert [f"{one.x.metric}{one.y.metric}" for one in found] == [
        "01",
        "02",
        "03",
        "12",
        "13",
        "23",
    ]
