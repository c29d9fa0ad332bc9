import numpy as np
import pytest
from scipy.special import expit, logit

from sriqa_metric.calibrate.training.rating_scale import fit_rating_scale


def test_a_scale_is_found_again(rng):
    scores = rng.uniform(1.05, 4.95, 300)
    levels = 1 + 4 * expit(0.6 + 0.8 * logit((scores - 1) / 4))
    assert fit_rating_scale(scores, levels) == pytest.approx((0.6, 0.8), abs=1e-5)


def test_scores_that_people_contradict_keep_their_order(rng):
    scores = rng.uniform(1.05, 4.95, 300)
    assert fit_rating_scale(scores, 6 - scores)[1] >= 0.1


def test_scores_at_the_ends_have_a_finite_scale():
    offset, slope = fit_rating_scale(np.array([1.0, 1.0, 5.0, 5.0]), np.array([1.0, 2.0, 4.0, 5.0]))
    assert np.isfinite([offset, slope]).all()
