"""Subjects, sessions and votes of a study, in its SQLite file.

One line of `vote` per trial, enforced by its primary key, so that a vote sent twice is stored
once. The file is in WAL mode with `synchronous=FULL`: when a call returns, its vote is on disk.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ...errors import SriqaError
from ..data.image_pairs import Pair
from .assignment import Settings, Trial, assign, trial_of
from .schema import connect, create_or_compare, make_private

_PROGRESS = """
SELECT code, count(vote.trial) AS done, count(*) AS total
FROM subject JOIN trial ON trial.subject = subject.id LEFT JOIN vote ON vote.trial = trial.id
WHERE subject.id = ? AND kind != 'training'
"""
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{4,30}[a-z0-9]")


class Refused(SriqaError):
    """A request that is wrong; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Progress:
    """Where a subject is: training trials do not count in `done` and `total`."""

    code: str
    done: int
    total: int
    trials: tuple[Trial, ...]


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
        self.textured = [(index, side) for index in range(len(pairs)) for side in "ab"]
        self._lock = threading.Lock()
        try:
            if not path.exists():
                make_private(path)  # before anything is in it
            self._db = connect(path)
        except OSError as error:
            raise SriqaError(f"{path}: cannot be made: {error.strerror or error}") from None
        try:
            with self.transaction() as db:
                self.secret = create_or_compare(db, path, pairs, settings)
            make_private(path)  # one that is continued may have had another mode
        except (sqlite3.Error, OSError) as error:
            self._db.close()
            raise SriqaError(f"{path}: cannot be opened as a study: {error}") from error
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; it then has everything, even if another process goes on reading it."""
        with self._lock:
            with suppress(sqlite3.Error):  # every vote is on disk already, if only in the log
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on disk when it ends.

        Raises
        ------
        sqlite3.OperationalError
            If another process goes on writing for `BUSY_SECONDS`, or the disk is full.
        """
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
            subject = known["id"] if known else None
            if subject is None:
                query = "SELECT value FROM setting WHERE name = 'secret'"
                if db.execute(query).fetchone()["value"] != self.secret:
                    # Before anybody took part, another process filled the file anew.
                    raise Refused(409, "This study was replaced. Please tell the experimenter.")
                subject = db.execute(
                    "INSERT INTO subject (code, start_id, age_band, display_notes, joined) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (code, start_id, age_band, display_notes, now()),
                ).lastrowid
                db.executemany(
                    "INSERT INTO trial (subject, position, kind) VALUES (?, ?, ?)",
                    [(subject, *slot) for slot in enumerate(self.settings.slots(len(self.pairs)))],
                )
            return self._open_session(subject)

    def resume(self, code: str) -> str:
        """Open another session of a subject."""
        with self.transaction() as db:
            query = "SELECT id FROM subject WHERE code = ?"
            known = db.execute(query, (code.strip().lower(),)).fetchone()
            if not known:
                raise Refused(404, "There is no such code.")
            return self._open_session(known["id"])

    def _open_session(self, subject: int | None) -> str:
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
                (trial, session, _image_of(choice, row["a_side"]), response_ms, now()),
            )
            stored = db.execute("SELECT choice FROM vote WHERE trial = ?", (trial,)).fetchone()[0]
            return self._progress(subject), stored, trial_of(row)

    def _progress(self, subject: int) -> Progress:
        trials = assign(self._db, subject, self.textured)
        row = self._db.execute(_PROGRESS, (subject,)).fetchone()
        return Progress(row["code"], row["done"], row["total"], trials)


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _image_of(choice: str, a_side: str) -> str:
    if choice == "tie":
        return choice
    return "a" if choice == a_side else "b"
