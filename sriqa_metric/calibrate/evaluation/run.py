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
from ..config import RESAMPLES
from ..data.fingerprints import image_digest
from ..data.mos_sets import require_images
from ..statistics import Estimate, Statistic, difference, estimate
from .data_sets import DataSet, read_data_set
from .report import Row
from .score_cache import ScoreCache, open_cache
from .scorers import Scorer, ScoreTable, make_scorer, read_score_tables


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Parameters
    ----------
    metrics : tuple of str
        See `scorers.make_scorer`.
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
    tables = [] if request.scores is None else read_score_tables(request.scores)
    scorers = [make_scorer(name, request.device) for name in dict.fromkeys(request.metrics)]
    taken = {scorer.name for scorer in scorers} & {table.name for table in tables}
    if taken:
        raise SriqaError(f"{request.scores}: has scores of {min(taken)}, which --metric names too")
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
    """Name, weights id and scores of every metric."""
    for table in tables:  # first, since they may lack a score
        table.scores_of(data_set)
    if scorers:
        digests = [image_digest(path) for path in data_set.paths]
        with open_cache(cache_file) as cache:
            for scorer in scorers:
                scores = score_images(scorer, data_set, digests, cache)
                yield scorer.name, scorer.weights_id, scores
    for table in tables:
        yield table.name, table.weights_id, table.scores_of(data_set)


def score_images(
    scorer: Scorer, data_set: DataSet, digests: Sequence[str], cache: ScoreCache
) -> np.ndarray:
    """Scores of a data set's images; only what the cache lacks is scored, and kept as it comes.

    Parameters
    ----------
    scorer : Scorer
    data_set : DataSet
    digests : sequence of str
        SHA-256 of its images; equal files are scored once.
    cache : ScoreCache

    Raises
    ------
    SriqaError
        If images have no score; the first ones are named with their reasons.
    """
    known = cache.known(scorer.weights_id)
    todo = {d: p for d, p in zip(digests, data_set.paths, strict=True) if d not in known}
    failed = []
    what = f"{scorer.name} on {data_set.name}"
    results = tracked(scorer.score(todo.values()), what, len(todo), hidden=not todo)
    for (digest, path), score in zip(todo.items(), results, strict=True):
        if isinstance(score, SriqaError):
            failed.append(str(score))
        elif not math.isfinite(score):
            failed.append(f"{path}: {scorer.name} gives {score}")
        else:
            known[digest] = score
            cache.add(scorer.weights_id, digest, score)
    if failed:
        shown = listed(failed, separator="; ")
        raise SriqaError(f"{len(failed)} images of {data_set.name} have no score: {shown}")
    return np.array([known[digest] for digest in digests])


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
