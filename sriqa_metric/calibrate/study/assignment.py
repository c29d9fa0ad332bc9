"""Which trial a subject gets next: least voted pairs first, with quality checks between them."""

from __future__ import annotations

import math
import random
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import SriqaError

OUTSTANDING_SECONDS = 1800
REPEAT_GAP = 5
AHEAD = 2  # the trial on the screen and the one that the browser loads meanwhile

_LEAST_VOTED = """
SELECT pair.id FROM pair LEFT JOIN (
  SELECT pair, count(*) AS outstanding FROM trial
  WHERE assigned > ? AND kind = 'trial' AND NOT EXISTS (SELECT 1 FROM vote WHERE trial = trial.id)
  GROUP BY pair) AS waiting ON waiting.pair = pair.id
WHERE pair.id NOT IN (
  SELECT pair FROM trial WHERE subject = ? AND kind = 'trial' AND pair IS NOT NULL)
ORDER BY pair.votes + coalesce(outstanding, 0), random() LIMIT 1
"""

# Of the trials before this one: at random among those of more than a few trials ago.
_REPEATABLE = """
SELECT id, pair, a_side FROM trial AS first
WHERE subject = ? AND kind = 'trial' AND position < ?
  AND NOT EXISTS (SELECT 1 FROM trial WHERE repeats = first.id)
ORDER BY max(position - ?, 0), random() LIMIT 1
"""


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


def assign(
    db: sqlite3.Connection, subject: int, textured: Sequence[tuple[int, str]]
) -> tuple[Trial, ...]:
    """The subject's next trials, fewer than two only at the end; assigns those that are not yet.

    Parameters
    ----------
    db : Connection
        In a transaction.
    subject : int
    textured : sequence of (int, str)
        Pair and side (a | b) of the results that are fit for obvious pairs.
    """
    query = (
        "SELECT * FROM trial WHERE subject = ? AND NOT EXISTS "
        "(SELECT 1 FROM vote WHERE trial = trial.id) ORDER BY position LIMIT ?"
    )
    slots = db.execute(query, (subject, AHEAD)).fetchall()
    return tuple(
        trial_of(slot if slot["assigned"] else _assign_slot(db, slot, textured)) for slot in slots
    )


def trial_of(row: sqlite3.Row) -> Trial:
    """A line of the table `trial`."""
    return Trial(row["id"], row["kind"], row["pair"], row["a_side"], row["source"])


def _assign_slot(
    db: sqlite3.Connection, slot: sqlite3.Row, textured: Sequence[tuple[int, str]]
) -> sqlite3.Row:
    source = repeats = None
    a_side = random.choice(("left", "right"))
    if slot["kind"] == "trial":
        oldest = time.time() - OUTSTANDING_SECONDS
        pair = db.execute(_LEAST_VOTED, (oldest, slot["subject"])).fetchone()["id"]
    elif slot["kind"] == "repeat":
        first = db.execute(
            _REPEATABLE, (slot["subject"], slot["position"], slot["position"] - REPEAT_GAP)
        ).fetchone()
        pair, repeats = first["pair"], first["id"]
        a_side = "left" if first["a_side"] == "right" else "right"
    else:
        query = "SELECT pair, source FROM trial WHERE subject = ? AND source IS NOT NULL"
        used = {tuple(row) for row in db.execute(query, (slot["subject"],))}
        unused = [result for result in textured if result not in used]
        pair, source = random.choice(unused or list(textured))
    db.execute(
        "UPDATE trial SET pair = ?, a_side = ?, source = ?, repeats = ?, assigned = ? WHERE id = ?",
        (pair, a_side, source, repeats, time.time(), slot["id"]),
    )
    row: sqlite3.Row = db.execute("SELECT * FROM trial WHERE id = ?", (slot["id"],)).fetchone()
    return row
