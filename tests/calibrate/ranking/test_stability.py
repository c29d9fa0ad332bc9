import numpy as np
import pytest

from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.data.votes import ImagePairs
from sriqa_metric.calibrate.ranking.report import rank_votes
from sriqa_metric.calibrate.ranking.stability import top_k_srcc


def test_published_votes(real_data):
    votes = read_votes(real_data / "realsr1k" / "votes.csv")
    srcc = rank_votes(votes, bootstrap=0).top_k_srcc
    assert list(srcc) == list(range(1, 17))
    assert srcc[16] == pytest.approx(1)
    assert srcc[1] < srcc[4] < srcc[16]


def image_pairs_of(first, second, wins, total, position):
    arrays = (np.array(a) for a in (first, second, [0] * len(first), wins, total, position))
    return ImagePairs(*arrays)


def test_stability_over_the_first_k():
    first, second = [0, 0, 1, 0, 0, 1], [1, 2, 2, 1, 2, 2]
    pairs = image_pairs_of(first, second, [0.0, 0, 9, 9, 9, 9], [10.0] * 6, [0, 0, 0, 1, 1, 1])
    full = np.array([1.0, 0, -1])
    srcc = top_k_srcc(pairs, full)
    assert srcc == {1: None, 2: pytest.approx(0.5)}  # A lost every vote on the first contents
    assert top_k_srcc(pairs, full, prior_variance=1)[1] == pytest.approx(-0.5)
    equal = image_pairs_of([0], [1], [5.0], [10.0], [0])
    assert top_k_srcc(equal, np.zeros(2)) == {1: None}


def test_many_contents_per_pair_are_thinned_out():
    k = np.arange(500)
    pairs = image_pairs_of(k * 0, k * 0 + 1, 7.0 + 0 * k, 10.0 + 0 * k, k)
    srcc = top_k_srcc(pairs, np.array([0.5, -0.5]))
    assert len(srcc) <= 64
    assert {1, 2, 3, 500} <= set(srcc)
    assert all(value == pytest.approx(1) for value in srcc.values())
