"""What the experimenter sees while a study runs: progress, quality checks and the ranking."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from statistics import median
from typing import Any

from ...errors import SriqaError
from .export import tidy_rows

_SUBJECTS = """
SELECT subject.id, code, age_band, display_notes, joined,
  (SELECT count(*) FROM trial WHERE subject = subject.id AND kind != 'training') AS total,
  (SELECT screen FROM session WHERE subject = subject.id ORDER BY started DESC) AS screen
FROM subject ORDER BY subject.id
"""
_PAIRS = """
SELECT pair.id, pair.pair, content, method_a, method_b, "group",
  coalesce(sum(choice = 'a'), 0) AS a, coalesce(sum(choice = 'b'), 0) AS b,
  coalesce(sum(choice = 'tie'), 0) AS tie
FROM pair LEFT JOIN trial ON trial.pair = pair.id AND trial.kind = 'trial'
LEFT JOIN vote ON vote.trial = trial.id
GROUP BY pair.id ORDER BY pair.id
"""


def report(db: sqlite3.Connection) -> dict[str, Any]:
    """Subjects, pairs and ranking, ready for JSON."""
    pairs = [dict(row) for row in db.execute(_PAIRS)]
    return {"subjects": subjects(db), "pairs": pairs, "ranking": ranking(pairs)}


def subjects(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Progress and quality checks of each subject."""
    votes: dict[str, list[dict[str, Any]]] = {}
    for row in tidy_rows(db):
        votes.setdefault(str(row["observer"]), []).append(row)
    found = []
    for subject in db.execute(_SUBJECTS):
        observer = f"s{subject['id']}"
        cast = votes.get(observer, [])
        trials = [vote for vote in cast if vote["kind"] == "trial"]
        sided = [vote for vote in trials if vote["choice"] != "tie"]
        left = sum((vote["choice"] == "a") == (vote["side_shown"] == "left") for vote in sided)
        found.append(
            {
                "observer": observer,
                **{name: subject[name] for name in ("code", "age_band", "display_notes", "joined")},
                "screen": subject["screen"],
                "done": sum(vote["kind"] != "training" for vote in cast),
                "total": subject["total"],
                "obvious": _as_expected(cast, "obvious"),
                "repeat": _as_expected(cast, "repeat"),
                "left": left / len(sided) if sided else None,
                "median_ms": median(vote["response_ms"] for vote in trials) if trials else None,
                "last": max((vote["timestamp"] for vote in cast), default=None),
            }
        )
    return found


def _as_expected(votes: Sequence[dict[str, Any]], kind: str) -> list[int]:
    """[answers as expected, answers] of one kind."""
    answers = [vote["choice"] == vote["expected"] for vote in votes if vote["kind"] == kind]
    return [sum(answers), len(answers)]


def ranking(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Scores of the methods with 95 % intervals, best first, or why there are none yet."""
    import numpy as np

    from ..ranking.thurstone import thurstone_counts
    from ..statistics import NORMAL_975

    methods = sorted({pair[name] for pair in pairs for name in ("method_a", "method_b")})
    index = {name: place for place, name in enumerate(methods)}
    counts = np.zeros((len(methods), len(methods)))
    for pair in pairs:
        i, j = index[pair["method_a"]], index[pair["method_b"]]
        counts[i, j] += pair["a"] + pair["tie"] / 2
        counts[j, i] += pair["b"] + pair["tie"] / 2
    try:
        fit = thurstone_counts(counts, methods)
    except SriqaError as error:
        return {"reason": str(error), "methods": []}
    half = NORMAL_975 * np.sqrt(np.diag(fit.covariance).clip(min=0))
    rows = [
        {
            "method": methods[k],
            "mu": float(fit.mu[k]),
            "low": float(fit.mu[k] - half[k]),
            "high": float(fit.mu[k] + half[k]),
            "votes": float(counts[k].sum() + counts[:, k].sum()),
        }
        for k in np.argsort(-fit.mu)
    ]
    return {"reason": None, "methods": rows}
