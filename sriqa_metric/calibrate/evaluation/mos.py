"""Figures of scores beside mean opinion scores."""

from __future__ import annotations

import numpy as np

from ..statistics import LogisticFit, Statistic, krcc, plcc, srcc


def mos_statistics(
    group: str, scores: np.ndarray, mos: np.ndarray, clusters: np.ndarray
) -> list[Statistic]:
    """SRCC, KRCC, and PLCC before and after the logistic, of scores (n,) with MOS (n,)."""
    fit = LogisticFit(scores, mos)
    return [
        Statistic(group, "SRCC", lambda r: srcc(scores[r], mos[r]), clusters),
        Statistic(group, "KRCC", lambda r: krcc(scores[r], mos[r]), clusters),
        Statistic(group, "PLCC raw", lambda r: plcc(scores[r], mos[r]), clusters),
        Statistic(group, "PLCC logistic", fit.plcc, clusters),
    ]
