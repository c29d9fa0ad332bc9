"""Scores of stage 1 on the scale of people's ratings.

A quality model that learns from pairs knows the order of images and how far they lie apart, but not
where on the scale of five levels they lie.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit, logit


def fit_rating_scale(scores: np.ndarray, levels: np.ndarray) -> tuple[float, float]:
    """Offset a and slope b > 0 with the least squared errors of 1 + 4·σ(a + b·logit((q − 1)/4)).

    Parameters
    ----------
    scores : ndarray, (n,)
        q, in [1, 5].
    levels : ndarray, (n,)
        What people said, in [1, 5].
    """
    odds = logit(np.clip((scores - 1) / 4, 1e-6, 1 - 1e-6))

    def errors(scale: np.ndarray) -> np.ndarray:
        return 1 + 4 * expit(scale[0] + scale[1] * odds) - levels

    # A slope of zero or less would lose or turn the order that was learnt.
    found = least_squares(errors, (0.0, 1.0), bounds=((-np.inf, 0.1), np.inf))
    return float(found.x[0]), float(found.x[1])
