"""The selection against a literal loop, and which rows it gives."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sriqa_metric.calibrate.selection.contents import Contents
from sriqa_metric.calibrate.selection.distances import Distances
from sriqa_metric.calibrate.selection.mad import (
    common_root,
    select_pairs,
    set_distances,
    take_greedily,
    take_middle,
)
from sriqa_metric.errors import SriqaError

METHODS = ("dull", "sharp", "soft")
CONTENTS = tuple(f"c{i}" for i in range(6))


def literal_d2(features, x, taken):
    """Mean over the contents taken of the mean squared difference to x, written out."""
    if not taken:
        return 0.0
    return sum(float(((features[x] - features[s]) ** 2).mean()) for s in taken) / len(taken)


def literal_greedy(d1, features, k, weight):
    """Eq. (1), written out."""
    taken = []
    while len(taken) < k and len(taken) < len(d1):
        best, best_value = None, None
        for x in range(len(d1)):
            if x in taken:
                continue
            value = float(d1[x]) + weight * literal_d2(features, x, taken)
            if best is None or value > best_value:
                best, best_value = x, value
        taken.append(best)
    return taken


def made(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(n).astype(np.float32), rng.normal(size=(n, 5)).astype(np.float32)


worlds = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(1, 30),
    "k": st.integers(1, 20),
    "weight": st.sampled_from([0.0, 0.1, 1.0, 10.0]),
}


@settings(max_examples=40, deadline=None)
@given(**worlds)
def test_greedy_is_the_literal_loop(seed, n, k, weight):
    d1, features = made(seed, n)
    features = features.astype(np.float64)
    taken = take_greedily(d1, features, k, weight)
    assert taken == literal_greedy(d1, features, k, weight)
    assert len(set(taken)) == len(taken) == min(k, n)
    literal = [literal_d2(features, x, taken[:i]) for i, x in enumerate(taken)]
    np.testing.assert_allclose(set_distances(features, taken), literal, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(**worlds, shuffle=st.randoms(use_true_random=False))
def test_order_of_contents_does_not_matter(seed, n, k, weight, shuffle):
    d1, features = made(seed, n)
    order = list(range(n))
    shuffle.shuffle(order)
    taken = take_greedily(d1, features, k, weight)
    other = take_greedily(d1[order], features[order], k, weight)
    assert [order[x] for x in other] == taken
    # The order outwards alternates sides, so it is kept as well.
    middle = take_middle(d1, k, taken[:1])
    other = take_middle(d1[order], k, other[:1])
    assert [order[x] for x in other] == middle


def test_diversity_counts():
    d1 = np.array([0.9, 0.89, 0.5])
    features = np.array([[0.0], [0.1], [10.0]])
    assert take_greedily(d1, features, 2, 0.0) == [0, 1]
    assert take_greedily(d1, features, 2, 0.1) == [0, 2]


def test_equal_contents_are_taken_by_name():
    assert take_greedily(np.ones(4), np.zeros((4, 2)), 3, 0.1) == [0, 1, 2]


@pytest.mark.parametrize(
    ("n", "taken", "expected"),
    [(7, [0], [3, 2, 4]), (6, [], [2, 3, 1]), (7, [3, 2], [4, 1, 5]), (3, [0, 1], [2])],
)
def test_middle_goes_outwards_from_the_median(n, taken, expected):
    d1 = np.linspace(1, 0, n)
    assert take_middle(d1, 3, taken) == expected


def made_contents(contents=CONTENTS, methods=METHODS) -> Contents:
    return Contents(
        methods,
        contents,
        {(m, c): Path(f"/data/sr/{m}/{c}.png") for m in methods for c in contents},
        {c: Path(f"/data/lr/{c}.png") for c in contents},
        contents,
    )


def made_distances(n=len(CONTENTS)) -> Distances:
    rng = np.random.default_rng(3)
    return Distances(rng.random((n, 3), np.float32), rng.random((n, 4), np.float32))


def test_rows_of_every_method_pair():
    found, distances = made_contents(), made_distances()
    selected = select_pairs(found, distances, k=3, lambda_1=0.5)
    assert common_root(found) == Path("/data")
    for column, (a, b) in enumerate(itertools.combinations(METHODS, 2)):
        rows = [pair for pair in selected if (pair.method_a, pair.method_b) == (a, b)]
        features = distances.features.astype(np.float64)
        taken = literal_greedy(distances.d1[:, column], features, 3, 0.5)
        assert [row.content for row in rows] == [CONTENTS[x] for x in taken]
        assert [row.k for row in rows] == ["1", "2", "3"]
        assert {row.group for row in rows} == {"mad"}
        for number, (row, x) in enumerate(zip(rows, taken, strict=True)):
            assert float(row.d1) == pytest.approx(distances.d1[x, column], abs=1e-6)
            d2 = literal_d2(features, x, taken[:number])
            assert float(row.d2) == pytest.approx(d2, abs=1e-6)
            assert row.image_a == f"sr/{a}/{row.content}.png"
            assert row.image_lr == f"lr/{row.content}.png"


@pytest.mark.parametrize(("k", "mad", "mid"), [(4, 2, 2), (5, 3, 2), (1, 1, 0), (16, 6, 0)])
def test_half_from_the_top_and_half_from_the_middle(k, mad, mid):
    selected = select_pairs(made_contents(), made_distances(), k, groups="mad+mid")
    for key in itertools.combinations(METHODS, 2):
        rows = [pair for pair in selected if (pair.method_a, pair.method_b) == key]
        assert [row.group for row in rows] == ["mad"] * mad + ["mid"] * mid
        assert len({row.content for row in rows}) == len(rows)


def test_fewer_contents_than_k_gives_all_of_them():
    assert len(select_pairs(made_contents(), made_distances(), k=16)) == 3 * len(CONTENTS)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"lambda_1": -0.1}, "lambda_1 is -0.1"),
        ({"lambda_1": float("nan")}, "lambda_1 is nan"),
        ({"groups": "mid"}, "groups is 'mid'"),
    ],
)
def test_settings_are_checked(setting, message):
    with pytest.raises(SriqaError, match=message):
        select_pairs(made_contents(), made_distances(), **setting)
