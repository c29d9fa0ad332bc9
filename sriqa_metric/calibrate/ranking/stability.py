"""How soon the votes give their ranking: the first K image pairs of each method pair."""

from __future__ import annotations

import numpy as np

from ..data.votes import ImagePairs
from ..statistics import srcc
from .thurstone import DisconnectedError, UnboundedError, clustered_counts, thurstone_scores


def top_k_srcc(
    pairs: ImagePairs, full: np.ndarray, prior_variance: float | None = None
) -> dict[int, float | None]:
    """SRCC of the ranking from the first K image pairs of each method pair with the full one.

    K runs from 1 to the largest number of image pairs of any method pair (over 64 of them, 64
    values of K spaced geometrically); None where these votes give no
    ranking, or one in which all methods are equal.
    """
    n, largest = len(full), int(pairs.position.max()) + 1
    ks = np.arange(1, largest + 1)
    if largest > 64:
        ks = np.unique(np.geomspace(1, largest, 64).round().astype(int))
    found: dict[int, float | None] = {}
    by_position = clustered_counts(
        pairs.first, pairs.second, pairs.wins, pairs.total, n, pairs.position
    )
    mu = full
    for k in ks[::-1].tolist():
        counts = by_position[:k].sum(0).reshape(n, n)
        try:
            mu = thurstone_scores(counts, None, prior_variance, mu)
        except (DisconnectedError, UnboundedError):
            found[k] = None
        else:
            value = srcc(mu, full)
            found[k] = None if np.isnan(value) else value
    return dict(sorted(found.items()))
