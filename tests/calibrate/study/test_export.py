import csv
import sqlite3
from pathlib import Path

import pytest

from sriqa_metric.calibrate.data.image_pairs import Pair
from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.data.votes import KINDS
from sriqa_metric.calibrate.study.assignment import Settings
from sriqa_metric.calibrate.study.export import REALSR1K_COLUMNS, TIDY_COLUMNS, export_votes
from sriqa_metric.calibrate.study.store import Store
from sriqa_metric.errors import SriqaError


@pytest.fixture
def db(tmp_path: Path, pairs: list[Pair]) -> Path:
    """Three subjects: the first always chooses a, the second the left side, the third ties."""
    path = tmp_path / "votes.sqlite"
    store = Store(path, pairs, Settings(tie=True, training=1, repeat_rate=0.25, obvious_rate=0.25))
    for number in range(3):
        session = store.start(f"secret-{number}", "s")
        progress = store.progress(session)
        while progress.trials:
            trial = progress.trials[0]
            choice = (trial.a_side, "left", "tie")[number]
            progress, _, _ = store.vote(session, trial.id, choice, 100 + number)
        store.resume(f"secret-{number}")
    store.close()
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_tidy(db, tmp_path):
    assert export_votes(db, tmp_path / "votes.csv") == 3 * (1 + 12 + 3 + 3)
    rows = read(tmp_path / "votes.csv")
    assert tuple(rows[0]) == TIDY_COLUMNS
    assert {row["observer"] for row in rows} == {"s1", "s2", "s3"}
    assert {row["session"] for row in rows} == {"s1.1", "s2.1", "s3.1"}
    assert "secret" not in (tmp_path / "votes.csv").read_text()
    for row in rows:
        if row["observer"] == "s1":
            assert row["choice"] == "a"
        elif row["observer"] == "s2":
            assert (row["choice"] == "a") == (row["side_shown"] == "left")
        if row["kind"] in ("training", "obvious"):
            assert row["expected"] == "a"
            assert row["method_b"] == row["method_a"] + "~degraded"
        elif row["kind"] == "repeat":
            opposite = {"a": "b", "b": "a"}[row["choice"]] if row["observer"] == "s2" else None
            assert row["expected"] == (opposite or row["choice"])
        else:
            assert (row["method_a"], row["method_b"], row["expected"]) == ("A", "B", "")


def test_tidy_is_what_the_ranking_reads(db, tmp_path):
    export_votes(db, tmp_path / "votes.csv")
    votes = read_votes(tmp_path / "votes.csv")
    assert votes.methods == ("A", "B")
    trials = votes.of_kind("trial")
    left = [row for row in read(tmp_path / "votes.csv") if row["kind"] == "trial"]
    wins = sum({"a": 1, "b": 0, "tie": 0.5}[row["choice"]] for row in left)
    assert trials.total.sum() == 36
    assert trials.wins.sum() == wins
    assert [len(votes.of_kind(kind).wins) for kind in KINDS] == [36, 3, 9, 9]


def test_realsr1k(db, tmp_path):
    assert export_votes(db, tmp_path / "votes.csv", "realsr1k") == 12
    rows = read(tmp_path / "votes.csv")
    assert tuple(rows[0]) == REALSR1K_COLUMNS
    assert rows[3]["sr_pair_names"] == "A_B"
    assert (rows[3]["name1_column"], rows[3]["name2_column"]) == ("c03_A.png", "c03_B.png")
    votes = read_votes(tmp_path / "votes.csv", votes_per_pair=3)
    with sqlite3.connect(db) as connection:
        (wins,) = connection.execute(
            "SELECT sum((choice = 'a') + (choice = 'tie') / 2.0) FROM vote JOIN trial "
            "ON trial.id = vote.trial WHERE kind = 'trial'"
        ).fetchone()
    assert votes.wins.sum() == pytest.approx(wins)
    assert (votes.total == 3).all()


@pytest.mark.answers(
    "Study and votes", "`votes` of a study without votes", "a file with a header alone"
)
def test_a_study_without_votes(tmp_path, pairs):
    Store(tmp_path / "v.sqlite", pairs, Settings()).close()
    for schema in ("tidy", "realsr1k"):
        assert export_votes(tmp_path / "v.sqlite", tmp_path / "v.csv", schema) == 0


@pytest.mark.answers(
    "Study and votes", "`votes` of a study that runs", "the votes so far; the study goes on"
)
def test_while_the_study_is_running(tmp_path, pairs):
    store = Store(tmp_path / "v.sqlite", pairs, Settings(training=0))
    session = store.start("code-one", "s")
    store.vote(session, store.progress(session).trials[0].id, "left", 1)
    assert export_votes(tmp_path / "v.sqlite", tmp_path / "v.csv") == 1


@pytest.mark.answers(
    "Study and votes",
    "`votes` of a file that is missing or no study, or onto the study itself",
    "error: names it; nothing is written",
)
def test_wrong_files(db, tmp_path):
    with pytest.raises(SriqaError, match="no such file"):
        export_votes(tmp_path / "missing.sqlite", tmp_path / "v.csv")
    assert not (tmp_path / "missing.sqlite").exists()
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(SriqaError, match="no study was started"):
        export_votes(tmp_path / "empty.sqlite", tmp_path / "v.csv")
    with pytest.raises(SriqaError, match="is the file of the study"):
        export_votes(db, db)
    with pytest.raises(SriqaError, match="cannot be written"):
        export_votes(db, tmp_path / "no" / "v.csv")
    with pytest.raises(SriqaError, match="schema is 'other'"):
        export_votes(db, tmp_path / "v.csv", "other")
