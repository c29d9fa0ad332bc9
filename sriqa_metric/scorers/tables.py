"""Scores made elsewhere, from CSV files."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..csv_files import number_of, read_table
from ..errors import SriqaError
from ..files import listed, sha256_of

_DIRECTIONS = {"": True, "true": True, "1": True, "false": False, "0": False}


class ScoreTable:
    """Scores from a CSV file with columns path, score and optionally metric, higher_is_better.

    Paths are relative to the data set's folder, or absolute; the end of a path stands for the
    image whose path ends so where there is only one.

    Parameters
    ----------
    name : str
        Of the metric: the column `metric`, without one the file's name.
    weights_id : str
        `file sha256:` and the first 12 digits of the file's SHA-256.
    scores : dict
        Path as in the file -> score.
    higher_is_better : bool
        The column of that name: true (or nothing), or false.
    source : Path
        The file.
    """

    needs_reference = False
    cached = False
    tolerance = 0.0

    def __init__(
        self,
        name: str,
        weights_id: str,
        scores: dict[str, float],
        higher_is_better: bool,
        source: Path,
    ) -> None:
        self.name = name
        self.weights_id = weights_id
        self.scores = scores
        self.higher_is_better = higher_is_better
        self.source = source

    def score(
        self, paths: Iterable[Path], references: Sequence[Path] = ()
    ) -> Iterator[float | SriqaError]:
        """Scores of images, whose paths are relative to the current folder."""
        images = list(paths)
        for path, score in zip(images, self._found(images, Path(), False), strict=True):
            if math.isnan(score):
                yield SriqaError(f"{path}: has no score of {self.name} in {self.source}")
            else:
                yield score

    def scores_of(
        self,
        paths: Sequence[Path],
        root: Path,
        data_set: str,
        same_name_same_image: bool = False,
    ) -> np.ndarray:
        """Scores in the order of the paths of a data set, whose folder is `root`.

        Raises
        ------
        SriqaError
            If images have no score; they are counted and named.
        """
        found = self._found(paths, root, same_name_same_image)
        missing = [
            _relative(p, root) for p, score in zip(paths, found, strict=True) if math.isnan(score)
        ]
        if missing:
            raise SriqaError(
                f"{self.name}: no score of {len(missing)} of {len(paths)} images of "
                f"{data_set}: {listed(missing)}"
            )
        return found

    def _found(self, paths: Sequence[Path], root: Path, same_name_same_image: bool) -> np.ndarray:
        """Scores in the order of the paths; NaN where there is none."""
        ends = Counter(end for path in dict.fromkeys(paths) for end in _ends(path))
        scores = []
        for path in paths:
            keys = [_relative(path, root)]
            keys += [end for end in _ends(path) if ends[end] == 1]
            if same_name_same_image:
                keys.append(path.name)
            scores.append(next((self.scores[key] for key in keys if key in self.scores), math.nan))
        return np.array(scores)


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


def _ends(path: Path) -> list[str]:
    """`/a/b.png`, `a/b.png`, `b.png`."""
    whole = path.absolute().as_posix()
    return [whole, *(whole[k + 1 :] for k, sign in enumerate(whole) if sign == "/")]


def read_score_tables(path: Path) -> list[ScoreTable]:
    """Read a file of scores, one table for each metric in it.

    Raises
    ------
    SriqaError
        For a file that cannot be read, a missing column or field, a score that is no number, an
        image scored twice by one metric, or a direction that is none or changes.
    """
    metrics: dict[str, dict[str, float]] = {}
    directions: dict[str, bool] = {}
    for line, row in read_table(path, ("path", "score")):
        name = row.get("metric") or path.stem
        scores = metrics.setdefault(name, {})
        key = row["path"].replace("\\", "/").removeprefix("./")
        if key in scores:
            raise SriqaError(f"{path}: line {line}: {key!r} is scored twice")
        scores[key] = number_of(path, line, row, "score")
        told = row.get("higher_is_better", "")
        up = _DIRECTIONS.get(told.strip().lower())
        if up is None or directions.setdefault(name, up) != up:
            way = "expected true or false" if up is None else f"but was another for {name} before"
            raise SriqaError(f"{path}: line {line}: higher_is_better is {told!r}, {way}")
    if not metrics:
        raise SriqaError(f"{path}: no scores, only a header")
    weights_id = f"file sha256:{sha256_of(path)[:12]}"
    return [
        ScoreTable(name, weights_id, scores, directions[name], path)
        for name, scores in metrics.items()
    ]
