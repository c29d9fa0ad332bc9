"""Scores on disk, by what made them and what the image file holds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..crops import READING_VERSION
from ..errors import SriqaError

Key = tuple[str, str]
"""SHA-256 of an image, and of its ground truth; empty for a metric that needs none."""


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/sriqa-metric/scores.sqlite`, by default below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "sriqa-metric" / "scores.sqlite"


class ScoreCache:
    """Scores by weights id and files; each is on disk before the next is computed.

    Only those of the present `READING_VERSION` are known: a change of how images are read makes
    new scores. Tables of older versions, which do not say how, or not which ground truth and
    direction, are left as they are.

    Parameters
    ----------
    connection : sqlite3.Connection
        See `open_cache`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE IF NOT EXISTS scores_of_files (reading INTEGER, weights TEXT, "
            "image TEXT, reference TEXT, score REAL, "
            "PRIMARY KEY (reading, weights, image, reference)) WITHOUT ROWID"
        )

    def known(self, weights: str) -> dict[Key, float]:
        """Files -> score, of everything that these weights have scored."""
        rows = self._connection.execute(
            "SELECT image, reference, score FROM scores_of_files WHERE reading = ? AND weights = ?",
            (READING_VERSION, weights),
        )
        return {(image, reference): score for image, reference, score in rows}

    def add(self, weights: str, files: Key, score: float) -> None:
        """Keep a score, in the metric's own units."""
        self._connection.execute(
            "INSERT OR REPLACE INTO scores_of_files VALUES (?, ?, ?, ?, ?)",
            (READING_VERSION, weights, *files, score),
        )


@contextmanager
def open_cache(path: Path) -> Iterator[ScoreCache]:
    """Open a cache file, made with its folder where it is missing.

    Raises
    ------
    SriqaError
        If it cannot be made, is no cache, or is locked or full while it is used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without an isolation level every statement is its own transaction.
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise SriqaError(
            f"{path}: cannot keep scores here: {error}; give another --cache"
        ) from None
    try:
        yield ScoreCache(connection)
    except sqlite3.Error as error:
        raise SriqaError(f"{path}: not a usable cache: {error}; give another --cache") from None
    finally:
        connection.close()
