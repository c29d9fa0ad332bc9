"""Scores of many files: each scored once, and what the cache knows not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from ..errors import SriqaError
from ..files import image_digest
from .cache import Key, ScoreCache
from .scorer import Scorer

_Item = TypeVar("_Item")
Track = Callable[[Iterable[_Item], str, int], Iterable[_Item]]
"""Passes items on as they come, with what they are and how many; a progress bar does so."""


def untracked(items: Iterable[_Item], what: str, total: int) -> Iterable[_Item]:
    """The `Track` that shows nothing."""
    return items


def scores_of(
    scorer: Scorer,
    paths: Sequence[Path],
    references: Sequence[Path] = (),
    cache: ScoreCache | None = None,
    track: Track[float | SriqaError] = untracked,
    what: str = "",
) -> list[float | SriqaError]:
    """Scores of files, in order, in the metric's own units; errors in place of those that fail.

    Equal files are scored once. Every score is in the cache before the next is computed.

    Parameters
    ----------
    scorer : Scorer
    paths : sequence of Path
    references : sequence of Path
        The ground truth of each, for a metric that needs it.
    cache : ScoreCache, optional
    track : callable, optional
    what : str
        What the progress is called; by default the metric's name.
    """
    truths = references if scorer.needs_reference else ()
    keep = cache if scorer.cached else None
    keys = [_key(k, paths, truths) if keep else (str(k), "") for k in range(len(paths))]
    known: dict[Key, float] = keep.known(scorer.weights_id) if keep else {}
    errors = {k: key for k, key in enumerate(keys) if isinstance(key, SriqaError)}

    def compute(indices: Sequence[int]) -> None:
        chosen = [truths[k] for k in indices] if truths else ()
        stream = scorer.score([paths[k] for k in indices], chosen)
        tracked = track(stream, what or scorer.name, len(indices)) if indices else ()
        for k, score in zip(indices, tracked, strict=True):
            key = keys[k]
            if isinstance(score, SriqaError):
                errors[k] = score
            elif not math.isfinite(score):
                errors[k] = SriqaError(f"{paths[k]}: {scorer.name} gives {score}")
            elif not isinstance(key, SriqaError):
                known[key] = score
                if keep:
                    keep.add(scorer.weights_id, key, score)

    def missing() -> list[int]:
        return [k for k, key in enumerate(keys) if k not in errors and key not in known]

    compute(list({keys[k]: k for k in reversed(missing())}.values())[::-1])
    compute(missing())  # equal to files that failed; each fails by its own name
    return [
        key if isinstance(key, SriqaError) else errors[k] if k in errors else known[key]
        for k, key in enumerate(keys)
    ]


def _key(k: int, paths: Sequence[Path], truths: Sequence[Path]) -> Key | SriqaError:
    try:
        return image_digest(paths[k]), image_digest(truths[k]) if truths else ""
    except SriqaError as error:
        return error
