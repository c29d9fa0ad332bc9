"""From the files of several methods to their comparison."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SriqaError
from ..files import listed
from .comparison import Comparison, Failure
from .matching import Results, find_results

if TYPE_CHECKING:
    from ..metric import CalibratedMetric

_File = tuple[int, int, str]  # method, content, path

# How well the score of an image repeats, whatever its neighbours: closer scores are equal.
_TOLERANCE = {"cpu": 1e-5}
_TOLERANCE_ELSEWHERE = 1e-4


def compare(
    metric: CalibratedMetric,
    arguments: Sequence[str | os.PathLike[str]],
    batch_size: int | None = None,
    workers: int | None = None,
    track: Callable[[Sequence[_File]], Iterable[_File]] = iter,
) -> Comparison:
    """Compare SR methods by the scores of their results.

    Parameters
    ----------
    metric : CalibratedMetric
    arguments : sequence of paths
        One folder or pattern for each method; see `find_results`.
    batch_size, workers : int, optional
        See `score_stream`.
    track : callable, optional
        Passes the files on while they are scored, as a progress bar does.

    Raises
    ------
    SriqaError
        As `find_results` and `compare_results`.
    """
    return compare_results(metric, find_results(arguments)[0], batch_size, workers, track)


def compare_results(
    metric: CalibratedMetric,
    results: Results,
    batch_size: int | None = None,
    workers: int | None = None,
    track: Callable[[Sequence[_File]], Iterable[_File]] = iter,
    max_pixels: int | None = None,
) -> Comparison:
    """Score matched results and compare the methods.

    A content of which a file fails is left out for every method, and the file is listed. `track`
    passes the files on while they are scored, as a progress bar does. An image of more than
    `max_pixels` fails; see `score_stream`.

    Raises
    ------
    SriqaError
        If no content can be scored for every method.
    """
    from ..images import MAX_PIXELS
    from ..scoring import score_stream

    limit = max_pixels or MAX_PIXELS
    files = [
        (method, content, path)
        for method, paths in enumerate(results.paths)
        for content, path in enumerate(paths)
    ]
    scores = np.full((len(results.methods), len(results.contents)), np.nan)
    failed = []
    stream = score_stream(metric, (path for *_, path in files), batch_size, workers, limit)
    for method, content, path in track(files):
        score = next(stream)
        if isinstance(score, SriqaError):
            failed.append(Failure(results.contents[content], path, str(score)))
        else:
            scores[method, content] = score
    kept = np.flatnonzero(np.isfinite(scores).all(0))
    if not kept.size:
        raise SriqaError(
            f"no content could be scored for every method; {len(failed)} of {len(files)} files "
            f"failed, the first: {failed[0].error}"
        )
    paths = tuple(tuple(row[k] for k in kept) for row in results.paths)
    contents = [results.contents[k] for k in kept]
    return Comparison.from_scores(
        results.methods,
        scores[:, kept],
        contents,
        metric=metric.name,
        weights=metric.weights_id,
        tolerance=_TOLERANCE.get(metric.device.type, _TOLERANCE_ELSEWHERE),
        unmatched=results.unmatched,
        failed=tuple(failed),
        notes=_size_notes(contents, paths),
        paths=paths,
    )


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
