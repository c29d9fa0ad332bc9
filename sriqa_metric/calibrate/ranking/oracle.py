"""How well people predict each other's votes: the upper bound of every score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data.votes import Votes, image_pairs
from ..statistics import choices

NEEDS_TWO = "needs two votes a pair"


def others_2afc(wins: np.ndarray, ties: np.ndarray, total: np.ndarray) -> np.ndarray:
    """2AFC score of each pair's votes, each judged by the majority of the *other* votes, (P,).

    A vote judged by a majority that it belongs to agrees too often: alone, always. A tied vote
    scores one half, as does a tie among the others. NaN for a pair of one vote. With few votes a
    pair, the score lies below what the majority of many would reach.

    Parameters
    ----------
    wins, total : ndarray, (P,)
        Votes for the first image, a tie being half a vote, and all votes.
    ties : ndarray, (P,)
        Tied votes.
    """
    first, second = wins - ties / 2, total - wins - ties / 2
    agreed = first * choices(first - 1, second) + second * choices(second - 1, first)
    with np.errstate(invalid="ignore"):
        return np.where(total > 1, (agreed + ties / 2) / total, np.nan)


def oracle_2afc(votes: Votes) -> tuple[float | None, int]:
    """Mean of `others_2afc` over the image pairs of two votes or more, and how many they are.

    Where a row is several votes, only an odd half vote tells of a tie among them.
    """
    pairs = image_pairs(votes)
    half = votes.wins % 1
    ties = 2 * image_pairs(replace(votes, wins=half, total=2 * half)).wins  # in the same order
    scores = others_2afc(pairs.wins, ties, pairs.total)
    judged = ~np.isnan(scores)
    return (float(scores[judged].mean()) if judged.any() else None), int(judged.sum())
