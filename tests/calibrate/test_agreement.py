import numpy as np
import pytest

from sriqa_metric.calibrate.agreement import (
    image_pairs_right,
    method_srcc,
    pairs_right,
    severity_right,
)

MU = np.array([2.0, 1.0, 0.0])
SCORES = np.array([[3.0, 1.0], [1.0, 1.5], [0.0, 2.0]])  # means 2, 1.25, 1


def test_figures_of_a_worked_example():
    assert method_srcc(SCORES, MU) == pytest.approx(1)
    assert pairs_right(SCORES, MU) == 1
    assert image_pairs_right(SCORES, MU) == pytest.approx(3 / 6)
    assert pairs_right(-SCORES, MU) == 0


def test_ties_of_scores_count_half_and_equal_ranks_not_at_all():
    assert pairs_right(np.zeros((3, 4)), MU) == 0.5
    assert pairs_right(SCORES, np.array([1.0, 1.0, 0.0])) == 1
    assert np.isnan(pairs_right(SCORES, np.zeros(3)))


def test_only_pairs_with_the_named_methods_count():
    scores = np.array([[0.0], [1.0], [2.0]])
    assert pairs_right(scores, np.array([1.0, 0.0, 2.0]), among={2}) == 1
    assert pairs_right(scores, np.array([1.0, 0.0, 2.0]), among={0}) == 0.5


def test_severity_counts_all_pairs_of_a_ladder():
    assert severity_right(np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])) == pytest.approx(5 / 6)
