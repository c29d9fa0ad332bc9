"""Scores on disk, by what made them and what the image file holds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...crops import READING_VERSION
from ...errors import SriqaError


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/sriqa-metric/scores.sqlite`, by default below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "sriqa-metric" / "scores.sqlite"


class ScoreCache:
    """Scores by weights id and image SHA-256; each is on disk before the next is computed.

    Only those of the present `READING_VERSION` are known: a change of how images are read makes
    new scores. The table `scores` of older files, which do not say how, is left as it is.

    Parameters
    ----------
    connection : sqlite3.Connection
        See `open_cache`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE IF NOT EXISTS scores_by_reading (reading INTEGER, weights TEXT, "
            "image TEXT, score REAL, PRIMARY KEY (reading, weights, image)) WITHOUT ROWID"
        )

    def known(self, weights: str) -> dict[str, float]:
        """Image SHA-256 -> score, of everything that these weights have scored."""
        rows = self._connection.execute(
            "SELECT image, score FROM scores_by_reading WHERE reading = ? AND weights = ?",
            (READING_VERSION, weights),
        )
        return dict(rows.fetchall())

    def add(self, weights: str, image: str, score: float) -> None:
        """Keep a score."""
        self._connection.execute(
            "INSERT OR REPLACE INTO scores_by_reading VALUES (?, ?, ?, ?)",
            (READING_VERSION, weights, image, score),
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
