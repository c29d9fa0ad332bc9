"""Image pairs with votes: 2AFC scores of a metric, and of those who need no image.

- `realsr1k`: `votes.csv` (RealSR-1K's schema), images
  `RealSR-1K/{MAD,MID}_images/<sr_pair_names>/<content>_<method>.png`.
- `pairs`: `pairs.csv` with columns image_a, image_b (relative to the folder) and fraction (of the
  votes for image_a); optional: content, by which resamples are drawn (else each pair is its
  own), group, and votes (how many; without them there is no row for the human majority).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...csv_files import find_one, number_of, read_table
from ...errors import SriqaError
from ..data.vote_files import read_votes
from ..data.votes import Votes
from ..ranking.oracle import NEEDS_TWO, others_2afc
from ..ranking.thurstone import (
    DisconnectedError,
    UnboundedError,
    clustered_counts,
    thurstone_scores,
)
from ..statistics import Statistic, choices, two_afc


@dataclass(frozen=True)
class PairSet:
    """P image pairs.

    Parameters
    ----------
    name, root
    paths : tuple of Path
        Every image once.
    first, second : ndarray of int, (P,)
        The two images of each pair, as indices of `paths`.
    fraction : ndarray, (P,)
        Votes for the first image.
    contents, groups : ndarray, (P,)
    human : ndarray or None, (P,)
        2AFC score of people, each judged by the others; None where the votes do not tell.
    ranked : ndarray or None, (P,)
        q of always choosing the better ranked method; None where no ranking exists.
    notes : tuple of str
    same_name_same_image : bool
        Files of one name in several folders are the same image.
    """

    name: str
    root: Path
    paths: tuple[Path, ...]
    first: np.ndarray
    second: np.ndarray
    fraction: np.ndarray
    contents: np.ndarray
    groups: np.ndarray
    human: np.ndarray | None = None
    ranked: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    same_name_same_image: bool = False

    def statistics(self, scores: np.ndarray) -> list[Statistic]:
        """2AFC score of every group and of all pairs, from the images' scores."""
        return self._two_afc(choices(scores[self.first], scores[self.second]))

    def references(self) -> Iterator[tuple[str, list[Statistic]]]:
        """What bounds every metric: the majority of the other voters above, chance below.

        `better ranked method` chooses by a ranking fitted to these very votes, and is what a
        metric could reach that knew methods but saw no image.
        """
        if self.human is not None:
            yield "human majority", self._means(self.human)
        if self.ranked is not None:
            yield "better ranked method", self._two_afc(self.ranked)
        yield "chance", self._two_afc(np.full(len(self.fraction), 0.5))

    def _two_afc(self, q: np.ndarray) -> list[Statistic]:
        return self._means(two_afc(self.fraction, q))

    def _means(self, values: np.ndarray) -> list[Statistic]:
        names = sorted(set(self.groups.tolist()))
        rows = [(name, self.groups == name) for name in names] if len(names) > 1 else []
        rows.append(("all", np.ones(len(values), dtype=bool)))
        return [_mean(name, values[keep], self.contents[keep]) for name, keep in rows]


def _mean(group: str, values: np.ndarray, clusters: np.ndarray) -> Statistic:
    return Statistic(group, "2AFC", lambda rows: float(values[rows].mean()), clusters)


def read_realsr1k(root: Path) -> PairSet:
    """Read RealSR-1K.

    Raises
    ------
    SriqaError
        As `votes.read_votes`, and for a folder without votes.
    """
    layout = "images are in RealSR-1K/{MAD,MID}_images/<sr_pair_names>/"
    votes = read_votes(find_one("realsr1k", root, ["votes.csv"], layout))
    if votes.observers:
        raise SriqaError(f"{root / 'votes.csv'}: not RealSR-1K's schema but one line per vote")
    paths = []
    for side in (votes.first, votes.second):
        for row, method in enumerate(side):
            group = votes.groups[votes.group[row]]
            pair = f"{votes.methods[votes.first[row]]}_{votes.methods[votes.second[row]]}"
            name = f"{votes.contents[votes.content[row]]}_{votes.methods[method]}.png"
            paths.append(root / "RealSR-1K" / f"{group.upper()}_images" / pair / name)
    human, few = _human(votes.wins / votes.total, votes.total)
    ranked, notes = _ranked(votes)
    return PairSet(
        "realsr1k",
        root,
        *_indexed(paths),
        votes.wins / votes.total,
        votes.content,
        np.array(votes.groups)[votes.group],
        human,
        ranked,
        (*few, *notes),
        same_name_same_image=True,
    )


def _human(fraction: np.ndarray, total: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if len(total) < len(fraction):
        return None, ("no row for the human majority: not every pair has its number of votes",)
    wins = (2 * total * fraction).round() / 2
    scores = others_2afc(wins, wins % 1 * 2, total)
    if alone := int(np.isnan(scores).sum()):
        why = f"it {NEEDS_TWO}; pairs that have one: {alone} of {len(total)}"
        return None, (f"no row for the human majority: {why}",)
    return scores, ()


def _ranked(votes: Votes) -> tuple[np.ndarray | None, tuple[str, ...]]:
    n = len(votes.methods)
    counts = clustered_counts(votes.first, votes.second, votes.wins, votes.total, n)
    try:
        mu = thurstone_scores(counts.toarray().reshape(n, n), votes.methods)
    except (DisconnectedError, UnboundedError) as error:
        return None, (f"no row for the better ranked method: {error}",)
    return choices(mu[votes.first], mu[votes.second]), ()


def read_pairs(root: Path) -> PairSet:
    """Read a set of pairs of any images.

    Raises
    ------
    SriqaError
        For a folder without `pairs.csv`, a missing column or field, a fraction that is no number
        from 0 to 1, and a number of votes that it cannot be a fraction of (a tie is half a vote).
    """
    layout = "columns image_a,image_b,fraction and optionally content,group,votes"
    source = find_one("pairs", root, ["pairs.csv"], layout)
    sides: tuple[list[Path], list[Path]] = [], []
    fraction, contents, groups, total = [], [], [], []
    for line, row in read_table(source, ("image_a", "image_b", "fraction")):
        value = number_of(source, line, row, "fraction")
        if not 0 <= value <= 1:
            raise SriqaError(f"{source}: line {line}: fraction is {value:g}, not from 0 to 1")
        fraction.append(value)
        for side, column in zip(sides, ("image_a", "image_b"), strict=True):
            side.append(root / row[column].replace("\\", "/"))
        if row.get("votes"):
            total.append(number_of(source, line, row, "votes"))
            halves = 2 * value * total[-1]
            if not (total[-1] >= 1 and total[-1] % 1 == 0 and abs(halves - round(halves)) < 1e-2):
                why = f"votes is {row['votes']}; {value:g} is no fraction of it"
                raise SriqaError(f"{source}: line {line}: {why}")
        contents.append(row.get("content") or f"line {line}")
        groups.append(row.get("group") or "all")
    if not fraction:
        raise SriqaError(f"{source}: no pairs, only a header")
    human, notes = _human(np.array(fraction), np.array(total))
    return PairSet(
        root.resolve().name,
        root,
        *_indexed(sides[0] + sides[1]),
        np.array(fraction),
        np.array(contents),
        np.array(groups),
        human,
        notes=notes,
    )


def _indexed(sides: Sequence[Path]) -> tuple[tuple[Path, ...], np.ndarray, np.ndarray]:
    """Every image once, and the indices of the pairs' first and second ones.

    `sides` are the first images of all pairs, then the second ones.
    """
    index = {path: k for k, path in enumerate(dict.fromkeys(sides))}
    first, second = np.array([index[path] for path in sides]).reshape(2, -1)
    return tuple(index), first, second
