"""The SQLite file of a study: its tables, and that it belongs to these pairs and settings."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ...errors import SriqaError
from ..data.image_pairs import Pair
from .assignment import Settings

APPLICATION_ID = 0x53524951

_SCHEMA = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE pair (
  id INTEGER PRIMARY KEY, pair TEXT NOT NULL UNIQUE, content TEXT NOT NULL,
  method_a TEXT NOT NULL, method_b TEXT NOT NULL, image_a TEXT NOT NULL, image_b TEXT NOT NULL,
  image_lr TEXT NOT NULL, "group" TEXT NOT NULL, d1 TEXT NOT NULL, d2 TEXT NOT NULL,
  k TEXT NOT NULL, votes INTEGER NOT NULL DEFAULT 0);

CREATE TABLE subject (
  id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, start_id TEXT NOT NULL,
  age_band TEXT NOT NULL, display_notes TEXT NOT NULL, joined TEXT NOT NULL);

CREATE TABLE session (
  id TEXT PRIMARY KEY, subject INTEGER NOT NULL REFERENCES subject, started TEXT NOT NULL,
  screen TEXT NOT NULL DEFAULT '{}') WITHOUT ROWID;

CREATE TABLE trial (
  id INTEGER PRIMARY KEY, subject INTEGER NOT NULL REFERENCES subject, position INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('training', 'trial', 'repeat', 'obvious')),
  pair INTEGER REFERENCES pair,
  a_side TEXT CHECK (a_side IN ('left', 'right')),
  source TEXT CHECK (source IN ('a', 'b')),
  repeats INTEGER UNIQUE REFERENCES trial,
  assigned REAL,
  UNIQUE (subject, position));

CREATE UNIQUE INDEX pair_once ON trial (subject, pair) WHERE kind = 'trial';

CREATE INDEX trial_assigned ON trial (assigned) WHERE assigned IS NOT NULL;

CREATE TABLE vote (
  trial INTEGER PRIMARY KEY REFERENCES trial, session TEXT NOT NULL REFERENCES session,
  choice TEXT NOT NULL CHECK (choice IN ('a', 'b', 'tie')),
  response_ms INTEGER NOT NULL, voted TEXT NOT NULL);

CREATE TRIGGER vote_counts AFTER INSERT ON vote BEGIN
  UPDATE pair SET votes = votes + 1
  WHERE id = (SELECT pair FROM trial WHERE id = NEW.trial AND kind = 'trial');
END;
"""


BUSY_SECONDS = 5.0  # that a vote waits for another process which holds the file's lock


def connect(path: Path) -> sqlite3.Connection:
    """Open the SQLite file of a study, or an empty one; another file is left as it is.

    What was committed is moved from the log (`-wal`) into the file itself at once, so that the
    file alone has every vote.
    """
    try:
        db = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            db.row_factory = sqlite3.Row
            known = db.execute("PRAGMA application_id").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and known != APPLICATION_ID:
                raise SriqaError(f"{path}: an SQLite file, but not that of a study")
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise SriqaError(f"{path}: this file system has no WAL mode (it gives {mode!r})")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA wal_autocheckpoint = 1")  # after every page, that is every commit
            db.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise SriqaError(f"{path}: cannot be opened as a study: {error}") from error
    return db


def make_private(path: Path) -> None:
    """Let nobody else read the file of a study and its logs: codes are in it.

    A missing file is made; SQLite gives new logs the mode of the file. One that is there is not
    opened: closing it again would drop SQLite's locks.

    Raises
    ------
    OSError
        If the file cannot be made, or is somebody else's.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if file.exists():
            file.chmod(0o600)


def open_study(path: Path) -> sqlite3.Connection:
    """Open the file of a study that was started.

    Raises
    ------
    SriqaError
        For a file that is missing, cannot be opened, or is no study.
    """
    if not path.is_file():
        raise SriqaError(f"{path}: no such file; `sriqa-calibrate study` makes it")
    db = connect(path)
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        db.close()
        raise SriqaError(f"{path}: empty; no study was started with it")
    return db


def create_or_compare(
    db: sqlite3.Connection, path: Path, pairs: Sequence[Pair], settings: Settings
) -> str:
    """Fill a file in which nobody has taken part, or check that it is that of the same study.

    Returns
    -------
    The study's secret.
    """
    rows = [pair.row() for pair in pairs]
    wanted = {name: json.dumps(value) for name, value in asdict(settings).items()}
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        for statement in _SCHEMA.split(";\n\n"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    problem = _compare(db, rows, wanted)
    if problem and db.execute("SELECT count(*) FROM subject").fetchone()[0]:
        raise SriqaError(f"{path}: was started with {problem} or a new file")
    if problem:
        _fill(db, rows, wanted)
    query = "SELECT value FROM setting WHERE name = 'secret'"
    return str(db.execute(query).fetchone()["value"])


def _compare(
    db: sqlite3.Connection, rows: list[dict[str, str]], settings: dict[str, str]
) -> str | None:
    """What is other in the file, and what to give instead."""
    columns = list(rows[0])
    stored = [
        {name: row[name] for name in columns}
        for row in db.execute("SELECT * FROM pair ORDER BY id")
    ]
    if stored != rows:
        return f"other pairs ({_difference(stored, rows)}); give the same pairs"
    found = dict(tuple(row) for row in db.execute("SELECT name, value FROM setting"))
    for name, value in settings.items():
        if found[name] != value:
            return f"{name} = {found[name]}, not {value}; give the same options"
    return None


def _fill(db: sqlite3.Connection, rows: list[dict[str, str]], settings: dict[str, str]) -> None:
    db.execute("DELETE FROM pair")
    db.execute("DELETE FROM setting")
    names = ", ".join(f'"{name}"' for name in rows[0])
    marks = ", ".join(f":{name}" for name in rows[0])
    db.executemany(
        f"INSERT INTO pair (id, {names}) VALUES (:id, {marks})",
        [{"id": index, **row} for index, row in enumerate(rows)],
    )
    values = [*settings.items(), ("secret", secrets.token_hex(32))]
    db.executemany("INSERT INTO setting VALUES (?, ?)", values)


def _difference(stored: list[dict[str, str]], given: list[dict[str, str]]) -> str:
    if len(stored) != len(given):
        return f"{len(stored)}, not {len(given)}"
    old, new = next((old, new) for old, new in zip(stored, given, strict=True) if old != new)
    name = next(name for name in old if old[name] != new[name])
    return f"pair {old['pair']!r} had {name} {old[name]!r}, now {new[name]!r}"
