"""How far scores agree with a global ranking of methods, and with certain orders."""

from __future__ import annotations

from itertools import combinations

import numpy as np


def method_srcc(scores: np.ndarray, mu: np.ndarray) -> float:
    """Spearman correlation of the methods' mean scores (N, n contents) with the ranking (N,)."""
    from scipy.stats import spearmanr

    return float(spearmanr(scores.mean(1), mu).statistic)


def pairs_right(scores: np.ndarray, mu: np.ndarray, among: set[int] | None = None) -> float:
    """Fraction of method pairs whose mean scores (N, n) stand in the order of the ranking (N,).

    Equal means count half. With `among`, only pairs with at least one of these methods; pairs
    of equal rank do not count.
    """
    return _fraction(scores.mean(1)[:, None], mu, among)


def image_pairs_right(scores: np.ndarray, mu: np.ndarray, among: set[int] | None = None) -> float:
    """The same per content: fraction of (pair, content) in the order of the global ranking."""
    return _fraction(scores, mu, among)


def _fraction(scores: np.ndarray, mu: np.ndarray, among: set[int] | None) -> float:
    right = [
        (np.sign(scores[i] - scores[j]) * np.sign(mu[i] - mu[j]) + 1) / 2
        for i, j in combinations(range(len(mu)), 2)
        if mu[i] != mu[j] and (among is None or i in among or j in among)
    ]
    return float(np.mean(right)) if right else float("nan")


def severity_right(scores: np.ndarray) -> float:
    """Fraction of pairs of versions in the right order: ladders (n, L), best first; ties half."""
    versions = scores.shape[1]
    better, worse = np.triu_indices(versions, 1)
    return float(((np.sign(scores[:, better] - scores[:, worse]) + 1) / 2).mean())
