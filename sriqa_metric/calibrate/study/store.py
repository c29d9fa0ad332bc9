"""The SQLite file of a study: subjects, assigned trials and votes.

One line of `vote` per trial, enforced by its primary key, so that a vote sent twice is stored
once. The file is in WAL mode with `synchronous=FULL`: when a call returns, its vote is on disk.
"""

from __future__ import annotations

import json
import math
import random
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from ...errors import SriqaError
from .pairs import Pair

APPLICATION_ID = 0x53524951
OUTSTANDING_SECONDS = 1800
REPEAT_GAP = 5
AHEAD = 2  # the trial on the screen and the one that the browser loads meanwhile
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{4,30}[a-z0-9]")

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

_LEAST_VOTED = """
SELECT pair.id FROM pair LEFT JOIN (
  SELECT pair, count(*) AS outstanding FROM trial
  WHERE assigned > ? AND kind = 'trial' AND NOT EXISTS (SELECT 1 FROM vote WHERE trial = trial.id)
  GROUP BY pair) AS waiting ON waiting.pair = pair.id
WHERE pair.id NOT IN (
  SELECT pair FROM trial WHERE subject = ? AND kind = 'trial' AND pair IS NOT NULL)
ORDER BY pair.votes + coalesce(outstanding, 0), random() LIMIT 1
"""


class Refused(SriqaError):
    """A request that is wrong; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Settings:
    """What a study asks of each subject.

    Parameters
    ----------
    trials : int or None
        Pairs per subject, each at most once; all of them by default.
    tie : bool
        Whether "no difference" is an answer.
    repeat_rate, obvious_rate : float
        Repeated and obvious pairs, as a fraction of `trials`, rounded up; they come on top.
    training : int
        Trials at the start that say whether the answer was right.
    """

    trials: int | None = None
    tie: bool = False
    repeat_rate: float = 0.05
    obvious_rate: float = 0.05
    training: int = 3

    def check(self, pairs: int) -> None:
        """Raise a SriqaError for a setting that a study of so many pairs cannot have."""
        if self.trials is not None and not 1 <= self.trials <= pairs:
            raise SriqaError(f"trials per subject is {self.trials}; it must be 1 to {pairs}")
        for name, rate in (("repeat", self.repeat_rate), ("obvious", self.obvious_rate)):
            if not 0 <= rate <= 0.5:
                raise SriqaError(f"{name} rate is {rate}; it must be 0 to 0.5")
        if not 0 <= self.training <= 50:
            raise SriqaError(f"training trials is {self.training}; it must be 0 to 50")

    def slots(self, pairs: int) -> list[str]:
        """Kinds of one subject's trials in order; repeats are all in the second half."""
        number = self.trials or pairs
        repeats, obvious = (
            math.ceil(round(rate * number, 6)) for rate in (self.repeat_rate, self.obvious_rate)
        )
        kinds = ["trial"] * number
        for after in sorted(random.choices(range((number + 1) // 2, number + 1), k=repeats))[::-1]:
            kinds.insert(after, "repeat")
        for _ in range(obvious):
            kinds.insert(random.randint(0, len(kinds)), "obvious")
        return ["training"] * self.training + kinds


@dataclass(frozen=True)
class Trial:
    """One assigned question: `source` is the result that is shown against its degraded version."""

    id: int
    kind: str
    pair: int
    a_side: str
    source: str | None


@dataclass(frozen=True)
class Progress:
    """Where a subject is: training trials do not count in `done` and `total`."""

    code: str
    done: int
    total: int
    trials: tuple[Trial, ...]


def connect(path: Path) -> sqlite3.Connection:
    """Open the SQLite file of a study, or an empty one."""
    try:
        db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        known = db.execute("PRAGMA application_id").fetchone()[0]
        empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error as error:
        raise SriqaError(f"{path}: cannot be opened as a study: {error}") from error
    if mode != "wal":
        raise SriqaError(f"{path}: this file system has no WAL mode (it gives {mode!r})")
    if known != APPLICATION_ID and not empty:
        raise SriqaError(f"{path}: an SQLite file, but not that of a study")
    return db


class Store:
    """Subjects, trials and votes of one study.

    Parameters
    ----------
    path : Path
        SQLite file; created where there is none.
    pairs : sequence of Pair
    settings : Settings

    Raises
    ------
    SriqaError
        For a file that is no study, or one with other pairs or settings.
    """

    def __init__(self, path: Path, pairs: Sequence[Pair], settings: Settings) -> None:
        settings.check(len(pairs))
        self.settings = settings
        self.pairs = list(pairs)
        self.textured: list[tuple[int, str]] = [(index, "a") for index in range(len(pairs))]
        self._path = path
        self._lock = threading.Lock()
        self._db = connect(path)
        try:
            self.secret = self._create_or_compare()
        except BaseException:
            self._db.close()
            raise

    def _create_or_compare(self) -> str:
        rows = [pair.row() for pair in self.pairs]
        wanted = {name: json.dumps(value) for name, value in asdict(self.settings).items()}
        with self.transaction() as db:
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                for statement in _statements(_SCHEMA):
                    db.execute(statement)
                names = ", ".join(f'"{name}"' for name in rows[0])
                marks = ", ".join(f":{name}" for name in rows[0])
                db.executemany(
                    f"INSERT INTO pair (id, {names}) VALUES (:id, {marks})",
                    [{"id": index, **row} for index, row in enumerate(rows)],
                )
                values = [*wanted.items(), ("secret", secrets.token_hex(32))]
                db.executemany("INSERT INTO setting VALUES (?, ?)", values)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            stored = [
                {name: row[name] for name in rows[0]}
                for row in db.execute("SELECT * FROM pair ORDER BY id")
            ]
            if stored != rows:
                raise SriqaError(
                    f"{self._path}: was started with other pairs ({_difference(stored, rows)}); "
                    "give the same pairs or a new file"
                )
            found = {name: value for name, value in db.execute("SELECT name, value FROM setting")}
            for name, value in wanted.items():
                if found[name] != value:
                    raise SriqaError(
                        f"{self._path}: was started with {name} = {found[name]}, not {value}; "
                        "give the same options or a new file"
                    )
            return str(found["secret"])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on disk when it ends."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def start(self, code: str, start_id: str, age_band: str = "", display_notes: str = "") -> str:
        """Add a subject and open a session; the same `start_id` again is the same subject."""
        code = code.strip().lower()
        if not _CODE.fullmatch(code):
            raise Refused(400, "A code has 6 to 32 letters a-z, digits and hyphens.")
        with self.transaction() as db:
            known = db.execute("SELECT * FROM subject WHERE code = ?", (code,)).fetchone()
            if known and known["start_id"] != start_id:
                raise Refused(409, f"The code {code} is taken. If it is yours, continue with it.")
            if not known:
                subject = db.execute(
                    "INSERT INTO subject (code, start_id, age_band, display_notes, joined) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (code, start_id, age_band, display_notes, now()),
                ).lastrowid
                db.executemany(
                    "INSERT INTO trial (subject, position, kind) VALUES (?, ?, ?)",
                    [(subject, *slot) for slot in enumerate(self.settings.slots(len(self.pairs)))],
                )
            return self._open_session(known["id"] if known else subject)

    def resume(self, code: str) -> str:
        """Open another session of a subject."""
        with self.transaction() as db:
            query = "SELECT id FROM subject WHERE code = ?"
            known = db.execute(query, (code.strip().lower(),)).fetchone()
            if not known:
                raise Refused(404, "There is no such code.")
            return self._open_session(known["id"])

    def _open_session(self, subject: int) -> str:
        token = secrets.token_urlsafe(24)
        self._db.execute(
            "INSERT INTO session (id, subject, started) VALUES (?, ?, ?)", (token, subject, now())
        )
        return token

    def _subject(self, session: str) -> int:
        query = "SELECT subject FROM session WHERE id = ?"
        row = self._db.execute(query, (session,)).fetchone()
        if not row:
            raise Refused(401, "This session is not known. Continue with your code.")
        return int(row["subject"])

    def progress(self, session: str, screen: str | None = None) -> Progress:
        """Assign what is next, and note what the screen is like."""
        with self.transaction() as db:
            subject = self._subject(session)
            if screen is not None:
                db.execute("UPDATE session SET screen = ? WHERE id = ?", (screen, session))
            return self._progress(subject)

    def vote(
        self, session: str, trial: int, choice: str, response_ms: int
    ) -> tuple[Progress, str, Trial]:
        """Store a vote and assign what is next.

        Parameters
        ----------
        session : str
        trial : int
        choice : str
            left | right | tie.
        response_ms : int

        Returns
        -------
        Progress, the choice that is stored (that of the first vote, if there was one), the trial.
        """
        if choice not in ("left", "right", "tie") or (choice == "tie" and not self.settings.tie):
            raise Refused(400, f"choice is {choice!r}")
        with self.transaction() as db:
            subject = self._subject(session)
            query = "SELECT * FROM trial WHERE id = ? AND subject = ? AND assigned IS NOT NULL"
            row = db.execute(query, (trial, subject)).fetchone()
            if not row:
                raise Refused(404, f"trial is {trial}; you were not asked this")
            db.execute(
                "INSERT INTO vote VALUES (?, ?, ?, ?, ?) ON CONFLICT (trial) DO NOTHING",
                (trial, session, _swap(choice, row["a_side"]), response_ms, now()),
            )
            stored = db.execute("SELECT choice FROM vote WHERE trial = ?", (trial,)).fetchone()[0]
            return self._progress(subject), stored, _trial(row)
