"""The votes of a study as CSV, in two schemas."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ...errors import SriqaError
from ...files import write_text
from ...names import csv_line
from ..data.vote_files import REALSR1K_COLUMNS
from .schema import open_study

SCHEMAS = ("tidy", "realsr1k")
TIDY_COLUMNS = (
    "observer",
    "session",
    "content",
    "method_a",
    "method_b",
    "choice",
    "side_shown",
    "response_ms",
    "timestamp",
    "kind",
    "expected",
    "group",
    "pair",
)
DEGRADED = "~degraded"  # added to a method's name: its result without details

_TIDY = """
SELECT trial.subject, opened.number, pair.content, pair.method_a, pair.method_b, trial.source,
  vote.choice, trial.a_side, vote.response_ms, vote.voted, trial.kind, earlier.choice AS before,
  pair."group", pair.pair
FROM vote
JOIN trial ON trial.id = vote.trial
JOIN pair ON pair.id = trial.pair
JOIN (SELECT id, row_number() OVER (PARTITION BY subject ORDER BY started, id) AS number
      FROM session) AS opened ON opened.id = vote.session
LEFT JOIN vote AS earlier ON earlier.trial = trial.repeats
ORDER BY trial.subject, trial.position
"""
_PER_PAIR = """
SELECT pair.*, sum((choice = 'a') + (choice = 'tie') / 2.0) / count(*) AS share
FROM vote JOIN trial ON trial.id = vote.trial JOIN pair ON pair.id = trial.pair
WHERE trial.kind = 'trial' GROUP BY pair.id ORDER BY pair.id
"""


def tidy_rows(db: sqlite3.Connection) -> Iterator[dict[str, object]]:
    """One line per vote.

    Subjects and sessions are numbered; the codes stay in the file of the study. `side_shown` is
    the side on which `method_a` was shown. Training and obvious pairs show a method's result (a)
    against its degraded version (b), named `<method>~degraded`. `expected` is a for them, and the
    earlier choice for a repeat.
    """
    for row in db.execute(_TIDY):
        method_a, method_b, expected = row["method_a"], row["method_b"], row["before"] or ""
        if row["source"]:
            method_a = row[f"method_{row['source']}"]
            method_b, expected = method_a + DEGRADED, "a"
        yield {
            "observer": f"s{row['subject']}",
            "session": f"s{row['subject']}.{row['number']}",
            "content": row["content"],
            "method_a": method_a,
            "method_b": method_b,
            "choice": row["choice"],
            "side_shown": row["a_side"],
            "response_ms": row["response_ms"],
            "timestamp": row["voted"],
            "kind": row["kind"],
            "expected": expected,
            "group": row["group"],
            "pair": row["pair"],
        }


def realsr1k_rows(db: sqlite3.Connection) -> Iterator[dict[str, object]]:
    """One line per pair with votes, RealSR-1K's schema: fractions of its votes, a tie half.

    Only the trials count: no training, repeated and obvious pairs.
    """
    for row in db.execute(_PER_PAIR):
        yield {
            "sr_pair_names": f"{row['method_a']}_{row['method_b']}",
            "group": row["group"] or "all",
            "name1_column": f"{row['content']}_{row['method_a']}.png",
            "name2_column": f"{row['content']}_{row['method_b']}.png",
            "score1_column": row["share"],
            "score2_column": 1 - row["share"],
        }


def votes_csv(db: sqlite3.Connection, schema: str = "tidy") -> str:
    """The votes of a study as the text of a CSV file.

    Raises
    ------
    SriqaError
        For a schema that is neither tidy nor realsr1k.
    """
    if schema not in SCHEMAS:
        raise SriqaError(f"schema is {schema!r}; it must be {' or '.join(SCHEMAS)}")
    tidy = schema == "tidy"
    columns = TIDY_COLUMNS if tidy else REALSR1K_COLUMNS
    rows = tidy_rows(db) if tidy else realsr1k_rows(db)
    return csv_line(columns) + "".join(csv_line(row[name] for name in columns) for row in rows)


def export_votes(path: Path, output: Path, schema: str = "tidy") -> int:
    """Write the votes of a study to a CSV file; the study may be running.

    Parameters
    ----------
    path : Path
        SQLite file of the study.
    output : Path
        CSV file; replaced if it exists.
    schema : str
        tidy | realsr1k.

    Returns
    -------
    Number of lines after the header.

    Raises
    ------
    SriqaError
        For a file that is no study, and one that cannot be written.
    """
    if output.exists() and path.exists() and output.samefile(path):
        raise SriqaError(f"{output}: is the file of the study; give another name")
    with closing(open_study(path)) as db:
        text = votes_csv(db, schema)
    write_text(output, text)
    return text.count("\n") - 1
