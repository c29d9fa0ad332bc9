"""Votes on pairs of SR results, and their sums over observers.

`KINDS` says what a vote is for:

- `trial`: it counts in the ranking;
- `training`: the observer was learning the task; only counted in the report;
- `repeat`: the same question again; compared with the observer's first trial vote on the same
  content and methods, and not counted twice in the ranking;
- `obvious`: an attention check, whose right answer is known; not counted in the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

KINDS = ("trial", "training", "repeat", "obvious")


@dataclass(frozen=True)
class Votes:
    """R rows, each one or more votes on one image pair.

    Parameters
    ----------
    methods, contents, groups : tuple of str
        Names, sorted. `methods` are those to rank; a method that only occurs in rows that are
        no trials is in `other_methods`, and its index follows those of `methods`.
    first, second, content, group : ndarray of int, (R,)
        The two methods, the content and the group of each row, as indices.
    wins, total : ndarray, (R,)
        Votes for the first method and votes in all; a tie is half a win.
    kind : ndarray of int, (R,)
        Index into `KINDS`.
    expected : ndarray, (R,)
        The right `wins` of an obvious row, NaN elsewhere.
    observers : tuple of str
        Names, sorted; empty where the file does not say who voted.
    observer : ndarray of int, (R,)
        Who voted; zeros where the file does not say.
    other_methods : tuple of str
    """

    methods: tuple[str, ...]
    contents: tuple[str, ...]
    groups: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    content: np.ndarray
    group: np.ndarray
    wins: np.ndarray
    total: np.ndarray
    kind: np.ndarray
    expected: np.ndarray
    observers: tuple[str, ...]
    observer: np.ndarray
    other_methods: tuple[str, ...] = ()

    def select(self, rows: np.ndarray) -> Votes:
        """The given rows; names and indices stay as they are."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ROW_ARRAYS})

    def of_kind(self, kind: str) -> Votes:
        """The rows of one kind."""
        return self.select(self.kind == KINDS.index(kind))

    def pair_keys(self) -> np.ndarray:
        """One integer per row, equal where the two methods are the same, in either order."""
        n = len(self.methods) + len(self.other_methods)
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        return low.astype(np.int64) * n + high


_ROW_ARRAYS = (
    "first",
    "second",
    "content",
    "group",
    "wins",
    "total",
    "kind",
    "expected",
    "observer",
)


@dataclass(frozen=True)
class ImagePairs:
    """P image pairs: the votes summed over observers, for each group, content and method pair.

    Parameters
    ----------
    first, second, group : ndarray of int, (P,)
    wins, total : ndarray, (P,)
    position : ndarray of int, (P,)
        Which of its method pair's image pairs it is, from 0, in the order of the file.
    """

    first: np.ndarray
    second: np.ndarray
    group: np.ndarray
    wins: np.ndarray
    total: np.ndarray
    position: np.ndarray


def image_pairs(votes: Votes) -> ImagePairs:
    """Sum votes over observers."""
    pair = votes.pair_keys()
    key = (pair * max(len(votes.groups), 1) + votes.group) * len(votes.contents) + votes.content
    _, row, inverse = np.unique(key, return_index=True, return_inverse=True)
    low = votes.first < votes.second
    wins = np.bincount(inverse, np.where(low, votes.wins, votes.total - votes.wins))
    total = np.bincount(inverse, votes.total)
    order = np.lexsort((row, pair[row]))
    row = row[order]
    _, start, size = np.unique(pair[row], return_index=True, return_counts=True)
    return ImagePairs(
        first=np.minimum(votes.first, votes.second)[row],
        second=np.maximum(votes.first, votes.second)[row],
        group=votes.group[row],
        wins=wins[order],
        total=total[order],
        position=np.arange(len(row)) - np.repeat(start, size),
    )
