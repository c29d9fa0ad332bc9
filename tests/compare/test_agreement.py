"""How far metrics say the same: directions, contents, contradictions."""

import numpy as np
import pytest
from scipy import stats

from sriqa_metric.compare import Comparison
from sriqa_metric.compare.agreement import agreements


def made(metric, scores, contents=None, up=True, data_set="") -> Comparison:
    scores = np.asarray(scores, float)
    return Comparison.from_scores(
        "ABCDE"[: len(scores)],
        scores,
        contents,
        metric=metric,
        weights="w",
        higher_is_better=up,
        data_set=data_set,
    )


def test_means_are_ranked_as_scipy_does_and_the_better_way_round(rng):
    first, second = rng.normal(size=(2, 5, 8))
    expected = stats.spearmanr(first.mean(1), second.mean(1)).statistic
    (found,) = agreements([made("a", first), made("b", -second, up=False)])
    assert (found.a, found.b, found.n_methods) == ("a", "b", 5)
    assert found.srcc_methods == pytest.approx(expected)


def test_images_are_ranked_within_their_content(rng):
    ease = 100 * rng.normal(size=8)  # of contents; it says nothing of methods
    first, second = rng.normal(size=(2, 4, 8))
    each = [stats.spearmanr(first[:, k], second[:, k]).statistic for k in range(8)]
    (found,) = agreements([made("a", first + ease), made("b", second + ease)])
    assert found.srcc_within == pytest.approx(np.mean(each))
    assert found.n_images == 32


def test_only_contents_of_both_are_compared():
    first = made("a", [[1, 2, 9], [0, 1, 0]], ["x", "y", "z"])
    second = made("b", [[0, 3], [5, 2]], ["z", "y"])
    (found,) = agreements([first, second])
    assert found.n_images == 4
    assert found.srcc_within == pytest.approx(0)
    other = made("b", [[0], [5]], ["q"])
    (found,) = agreements([first, other])
    assert (found.n_images, found.srcc_within) == (0, None)


def test_methods_told_apart_in_opposite_ways(rng):
    noise = rng.normal(0, 0.01, (3, 12))
    first = made("a", noise + np.array([[1], [2], [3]]))
    second = made("b", noise + np.array([[1], [0], [3]]))
    (found,) = agreements([first, second])
    assert found.contradictions == (("B", "A"),)
    third = made("c", -noise - [[1], [2], [3]], up=False)
    assert [one.contradictions for one in agreements([first, third])] == [()]


def test_what_is_all_alike_has_no_correlation():
    (found,) = agreements([made("a", [[1, 1], [1, 1]]), made("b", [[1, 2], [3, 4]])])
    assert (found.srcc_methods, found.srcc_within) == (None, None)


def test_data_sets_are_apart_and_a_method_alone_has_none():
    scores = [[1, 2], [3, 4]]
    each = [made(m, scores, data_set=d) for d in ("s", "t") for m in "ab"]
    assert [(one.data_set, one.a, one.b) for one in agreements(each)] == [
        ("s", "a", "b"),
        ("t", "a", "b"),
    ]
    assert agreements([made("a", scores[:1]), made("b", scores[:1])]) == ()
