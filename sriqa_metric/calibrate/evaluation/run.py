"""An evaluation: data sets × metrics, each image scored once, every figure with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...cli.progress import tracked
from ...errors import SriqaError
from ...files import listed
from ...names import counted
from ...scorers.cache import ScoreCache, open_cache
from ...scorers.make import make_scorer, read_tables
from ...scorers.options import Options
from ...scorers.scorer import Scorer, sign_of
from ...scorers.scoring import scores_of
from ...scorers.tables import ScoreTable
from ..config import RESAMPLES
from ..data.mos_sets import require_images
from ..statistics import Estimate, Statistic, difference, estimate
from .data_sets import DataSet, read_data_set
from .report import Row


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Parameters
    ----------
    metrics : tuple of str
        See `scorers.make.make_scorer`.
    data_sets : tuple of str
        `NAME=ROOT`, see `data_sets.read_data_set`.
    cache : Path
        SQLite file of scores.
    scores : Path, optional
        CSV file of scores made elsewhere.
    contents : Path, optional
        For `ranked`: file of the contents to take.
    device : str
    resamples, seed : int
        Of the bootstrap.
    """

    metrics: tuple[str, ...]
    data_sets: tuple[str, ...]
    cache: Path
    scores: Path | None = None
    contents: Path | None = None
    device: str = "cpu"
    resamples: int = RESAMPLES
    seed: int = 0


def evaluate(request: Request) -> tuple[list[Row], list[str]]:
    """Rows of the tables, and notes on them.

    Figures of every metric on every data set, then of the references, then the differences of
    the first metric from each other one, paired. Everything that can be wrong with names, files
    and labels is found before the first image is scored.

    Raises
    ------
    SriqaError
        For anything wrong in the request, and for images that are missing or have no score.
    """
    if not request.metrics and request.scores is None:
        raise SriqaError("no metric; give --metric NAME, or --scores FILE.csv")
    ranked = any(given.startswith("ranked=") for given in request.data_sets)
    if request.contents is not None and not ranked:
        raise SriqaError("--contents chooses contents of a data set `ranked`; there is none")
    data_sets = [read_data_set(given, request.contents) for given in request.data_sets]
    if not data_sets:
        raise SriqaError("no data set; give --dataset NAME=ROOT")
    if request.metrics:
        for data_set in data_sets:
            require_images(data_set.name, data_set.paths)
    names = tuple(dict.fromkeys(request.metrics))
    tables = read_tables([] if request.scores is None else [request.scores], names)
    options = Options(request.device)
    scorers = [make_scorer(name, options) for name in names]
    rows: list[Row] = []
    notes: list[str] = []
    for data_set in data_sets:
        notes += data_set.notes
        found = list(_scores(data_set, scorers, tables, request.cache))
        rows += _rows(data_set, found, request, notes)
    return rows, notes


def _scores(
    data_set: DataSet,
    scorers: Sequence[Scorer],
    tables: Sequence[ScoreTable],
    cache_file: Path,
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, weights id and scores of every metric, higher is better."""
    given = [
        (table, table.scores_of(data_set.paths, data_set.root, data_set.name, same))
        for same in [data_set.same_name_same_image]
        for table in tables  # first, since they may lack a score
    ]
    found: list[tuple[Scorer, np.ndarray]] = []
    if scorers:
        with open_cache(cache_file) as cache:
            found += [(scorer, score_images(scorer, data_set, cache)) for scorer in scorers]
    for scorer, scores in [*found, *given]:
        yield scorer.name, scorer.weights_id, sign_of(scorer) * scores


def score_images(scorer: Scorer, data_set: DataSet, cache: ScoreCache) -> np.ndarray:
    """Scores of a data set's images in the metric's own units; see `scores_of`.

    Raises
    ------
    SriqaError
        If images have no score; the first ones are named with their reasons.
    """
    what = f"{scorer.name} on {data_set.name}"
    scores = scores_of(scorer, data_set.paths, cache=cache, track=tracked, what=what)
    failed = [score for score in scores if isinstance(score, SriqaError)]
    if failed:
        shown = listed(failed, separator="; ")
        raise SriqaError(
            f"{len(failed)} of {counted(len(scores), 'image')} of {data_set.name} "
            f"without a score: {shown}"
        )
    return np.array(scores)


def _rows(
    data_set: DataSet,
    found: Sequence[tuple[str, str, np.ndarray]],
    request: Request,
    notes: list[str],
) -> Iterator[Row]:
    def measured(statistics: Iterable[Statistic]) -> list[Estimate]:
        return [estimate(each, request.resamples, request.seed) for each in statistics]

    def row(metric: str, weights: str, e: Estimate) -> Row:
        return Row(metric, weights, data_set.name, e.group, e.figure, e.value, e.low, e.high, e.n)

    figures = {}
    for metric, weights, scores in found:
        figures[metric] = measured(data_set.statistics(scores))
        for each in figures[metric]:
            yield row(metric, weights, each)
            if math.isnan(each.value):
                why = "too few different images, or a fit that did not converge"
                if np.ptp(scores) == 0:
                    why = "all scores are equal"
                notes.append(
                    f"{metric}: {each.figure} on {data_set.name} ({each.group}) is undefined: {why}"
                )
    for metric, statistics in data_set.references():
        for each in measured(statistics):
            yield row(metric, "", each)
    first = found[0][0]
    for other, _, _ in found[1:]:
        for a, b in zip(figures[first], figures[other], strict=True):
            value, low, high, p = difference(a, b)
            yield Row(first, "", data_set.name, a.group, a.figure, value, low, high, a.n, other, p)
