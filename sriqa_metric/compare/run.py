"""From the files of several methods to their comparisons by several metrics."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SriqaError
from ..files import listed
from ..names import counted
from ..registry import DEFAULT_METRIC
from ..scorers.cache import ScoreCache, default_cache, open_cache
from ..scorers.make import make_scorers, split_names
from ..scorers.options import Options
from ..scorers.scorer import Scorer
from ..scorers.scoring import Track, scores_of, untracked
from .comparison import Comparison, Failure
from .comparisons import Comparisons, Missing
from .matching import Results, find_results

if TYPE_CHECKING:
    from ..metric import CalibratedMetric

_Path = str | os.PathLike[str]


def compare(
    methods: Sequence[_Path],
    metric: str | CalibratedMetric | Sequence[str | CalibratedMetric] = DEFAULT_METRIC,
    *,
    gt: _Path | Sequence[_Path] = (),
    suffix: str = "",
    clips: bool = False,
    scores: Sequence[_Path] = (),
    cache: _Path | None = None,
    device: str = "cpu",
    track: Track[float | SriqaError] = untracked,
) -> Comparisons:
    """Compare SR methods by the scores of their results.

    Parameters
    ----------
    methods : sequence of paths
        One folder or pattern for each method.
    metric : str, CalibratedMetric, or sequence of them
        Names as `--metric` takes them. Scores of a metric in memory are not cached.
    gt, suffix, clips
        Where the ground truth is, and how results are matched; see `find_results`.
    scores : sequence of paths
        CSV files of scores made elsewhere; see `ScoreTable`.
    cache : path, optional
        SQLite file of scores; by default in the user's cache.
    device : str
    track : callable, optional
        Passes scores on as they come, as a progress bar does.

    Raises
    ------
    SriqaError
        As `find_results`, `make_scorers` and `compare_all`.
    """
    results = find_results(methods, gt=gt, suffix=suffix, clips=clips)
    given = [metric] if isinstance(metric, str) or not isinstance(metric, Sequence) else metric
    metrics: dict[str | CalibratedMetric, None] = {}
    for one in given:
        metrics |= dict.fromkeys(split_names([one]) if isinstance(one, str) else [one])
    files = [Path(file) for file in scores]
    scorers = make_scorers([*metrics], files, Options(device), references=bool(gt))
    return compare_all(scorers, results, Path(cache) if cache else default_cache(), track)


def compare_all(
    scorers: Sequence[Scorer],
    results: Sequence[Results],
    cache: Path | None = None,
    track: Track[float | SriqaError] = untracked,
) -> Comparisons:
    """Score matched results by every metric and compare the methods.

    A content of which a file fails under a metric is left out for every method under that metric,
    and the file is listed. What the cache knows is not scored again, so a killed run goes on.

    Parameters
    ----------
    scorers : sequence of Scorer
    results : sequence of Results
        One for each data set.
    cache : Path, optional
        SQLite file of scores.
    track : callable, optional
        See `compare`.

    Raises
    ------
    SriqaError
        If no metric can score a content for every method, and as `open_cache`.
    """
    each: list[Comparison] = []
    missing: list[Missing] = []
    with open_cache(cache) if cache else nullcontext() as known:
        for one in results:
            notes = _size_notes(one.contents, one.paths)
            for scorer in scorers:
                found = _compared(scorer, one, notes, known, track)
                if isinstance(found, Comparison):
                    each.append(found)
                else:
                    missing.append(found)
    if not each:
        raise SriqaError(missing[0].reason)
    return Comparisons(tuple(each), tuple(missing))


def _compared(
    scorer: Scorer,
    results: Results,
    notes: tuple[str, ...],
    cache: ScoreCache | None,
    track: Track[float | SriqaError],
) -> Comparison | Missing:
    """One metric on one data set."""
    where = f"{scorer.name} on {results.data_set}" if results.data_set else scorer.name
    if scorer.needs_reference and not results.references:
        reason = f"{where}: there is no ground truth; give its folder with --gt"
        return Missing(scorer.name, results.data_set, reason)
    scores, failed = _score(scorer, results, cache, track, where)
    kept = np.flatnonzero(np.isfinite(scores).all(0))
    if not kept.size:
        reason = (
            f"{where}: no content could be scored for every method; {len(failed)} of "
            f"{counted(scores.size, 'file')} failed, the first: {failed[0].error}"
        )
        return Missing(scorer.name, results.data_set, reason, failed)
    contents, units = _units(results, kept)
    return Comparison.from_scores(
        results.methods,
        np.stack([scores[:, unit].mean(1) for unit in units], axis=1),
        contents,
        metric=scorer.name,
        weights=scorer.weights_id,
        tolerance=scorer.tolerance,
        higher_is_better=scorer.higher_is_better,
        data_set=results.data_set,
        unmatched=results.unmatched,
        failed=failed,
        notes=notes,
        paths=tuple(tuple(row[unit[len(unit) // 2]] for unit in units) for row in results.paths),
    )


def _units(results: Results, kept: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """What is compared, and the frames of each: clips, or else single contents."""
    if not results.clips:
        return [results.contents[k] for k in kept], [np.array([k]) for k in kept]
    frames: dict[str, list[int]] = {}
    for k in kept:
        frames.setdefault(results.clips[k], []).append(k)
    return list(frames), [np.array(own) for own in frames.values()]


def _score(
    scorer: Scorer,
    results: Results,
    cache: ScoreCache | None,
    track: Track[float | SriqaError],
    what: str,
) -> tuple[np.ndarray, tuple[Failure, ...]]:
    """Scores (N, n), NaN where a file failed, and the failures."""
    # Content by content: a ground truth is read once for all methods.
    places = [(m, k) for k in range(len(results.contents)) for m in range(len(results.methods))]
    paths = [Path(results.paths[m][k]) for m, k in places]
    truths = [Path(results.references[k]) for _, k in places] if results.references else []
    scores = np.full((len(results.methods), len(results.contents)), np.nan)
    failed = []
    found = scores_of(scorer, paths, truths, cache, track, what)
    for (m, k), score in zip(places, found, strict=True):
        if isinstance(score, SriqaError):
            failed.append(Failure(results.contents[k], results.paths[m][k], str(score)))
        else:
            scores[m, k] = score
    return scores, tuple(failed)


def _size_notes(contents: Sequence[str], paths: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Results on one content are of one size, unless something went wrong before."""
    odd = [
        content
        for content, files in zip(contents, zip(*paths, strict=True), strict=True)
        if len({_size(path) for path in files} - {()}) > 1
    ]
    if not odd:
        return ()
    return (
        f"the results on {len(odd)} of {len(contents)} contents differ in size, which a score may "
        f"tell more about than their quality: {listed(odd, 3)}",
    )


def _size(path: str) -> tuple[int, ...]:
    """Sides from the header, the shorter first: EXIF may turn the picture."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                return tuple(sorted(image.size))
        except (OSError, ValueError, Image.DecompressionBombError):
            return ()  # it has a score; a size that cannot be told so easily makes no note
