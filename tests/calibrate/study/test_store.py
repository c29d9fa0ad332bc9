import sqlite3
import threading
from collections import Counter
from pathlib import Path

import pytest

from sriqa_metric.calibrate.data.image_pairs import Pair
from sriqa_metric.calibrate.study import assignment
from sriqa_metric.calibrate.study.assignment import Settings
from sriqa_metric.calibrate.study.store import Refused, Store
from sriqa_metric.errors import SriqaError

PLAIN = Settings(repeat_rate=0, obvious_rate=0, training=0)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "votes.sqlite"


def answer_all(store: Store, session: str, choice: str = "left") -> list:
    """Vote until there is nothing left; the trials, in order."""
    progress, seen = store.progress(session), []
    while progress.trials:
        seen.append(progress.trials[0])
        progress, _, _ = store.vote(session, progress.trials[0].id, choice, 500)
    return seen


def rows(path: Path, query: str) -> list[tuple]:
    with sqlite3.connect(path) as db:
        return db.execute(query).fetchall()


def test_a_vote_is_synced_to_disk(db, pairs):
    store = Store(db, pairs, PLAIN)
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL


def test_a_subject_sees_each_pair_once_and_sides_and_order_differ(db, pairs):
    store = Store(db, pairs, PLAIN)
    orders, sides = [], Counter()
    for number in range(6):
        trials = answer_all(store, store.start(f"code-{number}", "s"))
        assert sorted(trial.pair for trial in trials) == list(range(12))
        orders.append(tuple(trial.pair for trial in trials))
        sides.update(trial.a_side for trial in trials)
    assert len(set(orders)) == 6
    assert min(sides["left"], sides["right"]) > 15  # of 72; 7 standard deviations


def test_votes_per_pair_stay_level(db, pairs):
    store = Store(db, pairs, Settings(trials=5, repeat_rate=0, obvious_rate=0, training=0))
    sessions = [store.start(f"code-{number}", "s") for number in range(11)]
    for session in sessions[:4]:  # these leave after two answers
        for _ in range(2):
            store.vote(session, store.progress(session).trials[0].id, "left", 1)
    for session in sessions[4:]:
        answer_all(store, session)
    votes = [n for (n,) in rows(db, "SELECT votes FROM pair")]
    assert sum(votes) == 4 * 2 + 7 * 5
    # The two outstanding trials of each of the four count as votes when others are assigned.
    expected = rows(
        db, "SELECT count(*) FROM trial WHERE kind = 'trial' AND assigned > 0 GROUP BY pair"
    )
    counts = [n for (n,) in expected]
    assert len(counts) == 12
    assert max(counts) - min(counts) <= 1


def test_interleaved_subjects_stay_level(db, pairs):
    store = Store(db, pairs, PLAIN)
    sessions = [store.start(f"code-{number}", "s") for number in range(12)]
    for _ in range(4):
        for session in sessions:
            store.vote(session, store.progress(session).trials[0].id, "right", 1)
        votes = [n for (n,) in rows(db, "SELECT votes FROM pair")]
        assert max(votes) - min(votes) <= 3


def test_old_outstanding_trials_do_not_count(db, pairs, monkeypatch):
    store = Store(db, pairs, Settings(trials=2, repeat_rate=0, obvious_rate=0, training=0))
    gone = {trial.pair for trial in store.progress(store.start("left-for-good", "s")).trials}
    monkeypatch.setattr(assignment, "OUTSTANDING_SECONDS", -1)
    for number in range(6):
        answer_all(store, store.start(f"code-{number}", "s"))
    assert {n for (n,) in rows(db, "SELECT votes FROM pair")} == {1}
    assert len(gone) == 2


@pytest.mark.answers(
    "Study and votes",
    "a second vote on the same trial (a second tab, a double click)",
    "the first one counts; it is stored once",
)
def test_the_second_vote_on_a_trial_changes_nothing(db, pairs):
    store = Store(db, pairs, PLAIN)
    session = store.start("code-one", "s")
    first = store.progress(session).trials[0]
    _, stored, _ = store.vote(session, first.id, "left", 400)
    progress, again, _ = store.vote(session, first.id, "right", 900)
    assert stored == again == ("a" if first.a_side == "left" else "b")
    assert progress.done == 1
    assert rows(db, "SELECT trial, response_ms FROM vote") == [(first.id, 400)]
    with pytest.raises(sqlite3.IntegrityError), store.transaction() as connection:
        connection.execute("INSERT INTO vote VALUES (?, ?, 'a', 1, '')", (first.id, session))


@pytest.mark.answers(
    "Study and votes", "a vote on a trial that was not asked", "404; nothing is stored"
)
def test_trials_of_others_and_of_later_are_refused(db, pairs):
    store = Store(db, pairs, PLAIN)
    mine, other = store.start("code-mine", "s"), store.start("code-other", "s")
    theirs = store.progress(other).trials[0].id
    store.progress(mine)
    later = rows(db, "SELECT max(id) FROM trial WHERE subject = 1")[0][0]
    for trial in (theirs, later, 0, 10**9):
        with pytest.raises(Refused) as error:
            store.vote(mine, trial, "left", 1)
        assert error.value.status == 404
    with pytest.raises(Refused):
        store.vote("no-session", theirs, "left", 1)
    assert rows(db, "SELECT count(*) FROM vote") == [(0,)]


def test_tie_only_where_the_study_has_it(tmp_path, pairs):
    for tie in (False, True):
        store = Store(tmp_path / f"{tie}.sqlite", pairs, Settings(tie=tie, training=0))
        session = store.start("code-one", "s")
        trial = store.progress(session).trials[0].id
        if tie:
            assert store.vote(session, trial, "tie", 1)[1] == "tie"
        else:
            with pytest.raises(Refused, match="'tie'"):
                store.vote(session, trial, "tie", 1)


def test_quality_checks_come_at_their_rates(db, pairs):
    settings = Settings(repeat_rate=0.25, obvious_rate=0.1, training=2)
    store = Store(db, pairs, settings)
    trials = answer_all(store, store.start("code-one", "s"))
    kinds = Counter(trial.kind for trial in trials)
    assert kinds == {"training": 2, "trial": 12, "repeat": 3, "obvious": 2}
    assert [trial.kind for trial in trials[:2]] == ["training", "training"]
    place = {trial.pair: (k, trial) for k, trial in enumerate(trials) if trial.kind == "trial"}
    repeated = [(k, trial) for k, trial in enumerate(trials) if trial.kind == "repeat"]
    assert len({trial.pair for _, trial in repeated}) == 3
    for k, trial in repeated:
        before, first = place[trial.pair]
        assert before < k
        assert first.a_side != trial.a_side
    sources = [(t.pair, t.source) for t in trials if t.kind in ("obvious", "training")]
    assert len(set(sources)) == 4
    assert all(source in ("a", "b") for _, source in sources)
    progress = store.progress(store.resume("code-one"))
    assert (progress.done, progress.total) == (17, 17)


@pytest.mark.parametrize("number", [1, 2, 3, 12])
@pytest.mark.parametrize("rate", [0, 0.05, 0.5])
def test_every_plan_can_be_carried_out(tmp_path, pairs, number, rate):
    for attempt in range(5):
        settings = Settings(trials=number, repeat_rate=rate, obvious_rate=rate)
        store = Store(tmp_path / f"{attempt}.sqlite", pairs, settings)
        trials = answer_all(store, store.start("code-one", "s"))
        assert Counter(trial.kind for trial in trials)["repeat"] == -(-number * rate // 1)


@pytest.mark.answers("Study and votes", "a code that somebody else has", "409: it is taken")
def test_starting_again_with_the_same_request_is_one_subject(db, pairs):
    store = Store(db, pairs, PLAIN)
    one, two = store.start("My-Code", "request"), store.start("my-code", "request")
    assert one != two
    assert store.progress(one).trials == store.progress(two).trials
    with pytest.raises(Refused, match="my-code is taken"):
        store.start("my-code", "another request")
    assert rows(db, "SELECT count(*) FROM subject") == [(1,)]


@pytest.mark.parametrize(
    "code", ["", "short", "with space", "<script>", "a" * 33, "-abcdef", "ä" * 8]
)
def test_wrong_codes(db, pairs, code):
    with pytest.raises(Refused, match="6 to 32"):
        Store(db, pairs, PLAIN).start(code, "s")


def test_resume_by_code_goes_on_where_it_stopped(db, pairs):
    store = Store(db, pairs, PLAIN)
    session = store.start("code-one", "s")
    store.vote(session, store.progress(session).trials[0].id, "left", 1)
    expected = store.progress(session)
    store.close()
    reopened = Store(db, pairs, PLAIN)
    assert reopened.progress(reopened.resume(" CODE-one ")) == expected
    assert reopened.progress(session) == expected
    with pytest.raises(Refused, match="no such code"):
        reopened.resume("code-two")


@pytest.mark.answers(
    "Study and votes",
    "one participant in several tabs, or two servers of one file",
    "each vote is stored once",
)
def test_two_tabs_at_once(db, pairs):
    stores = [Store(db, pairs, PLAIN), Store(db, pairs, PLAIN)]  # even two processes
    session = stores[0].start("code-one", "s")
    errors = []

    def answer(store: Store) -> None:
        try:
            answer_all(store, session)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=answer, args=(stores[k % 2],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert rows(db, "SELECT count(*), count(DISTINCT trial) FROM vote") == [(12, 12)]
    assert rows(db, "SELECT sum(votes) FROM pair") == [(12,)]


@pytest.mark.answers(
    "Study and votes",
    "`study --db` with other pairs or options than it was started with",
    "error: quotes what differs",
)
def test_another_study_in_the_file(db, pairs):
    store = Store(db, pairs, PLAIN)
    store.start("code-one", "s")
    store.close()
    changed = [*pairs[:-1], Pair("p11", "c11", "A", "C", "c11_A.png", "c11_C.png")]
    with pytest.raises(SriqaError, match="'p11' had method_b 'B', now 'C'"):
        Store(db, changed, PLAIN)
    with pytest.raises(SriqaError, match="12, not 11"):
        Store(db, pairs[:-1], PLAIN)
    with pytest.raises(SriqaError, match="was started with tie = false, not true"):
        Store(db, pairs, Settings(tie=True, repeat_rate=0, obvious_rate=0, training=0))


def test_a_study_that_nobody_took_part_in_is_replaced(db, pairs):
    replaced = Store(db, pairs, PLAIN)
    store = Store(db, pairs[:5], Settings(tie=True, repeat_rate=0, obvious_rate=0, training=0))
    assert len(answer_all(store, store.start("code-one", "s"), "tie")) == 5
    with pytest.raises(Refused, match="was replaced"):
        replaced.start("code-two", "s")


@pytest.mark.answers(
    "Study and votes",
    "`study --db` with an SQLite file of something else",
    "error: not that of a study; left as it is",
)
def test_a_file_that_is_no_study(tmp_path, pairs):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    text = tmp_path / "text.sqlite"
    text.write_text("not a database at all, but long enough to be looked at" * 20)
    for path in (other, text, tmp_path / "no" / "folder.sqlite", tmp_path):
        with pytest.raises(SriqaError, match=str(path)):
            Store(path, pairs, PLAIN)
    assert rows(other, "SELECT name FROM sqlite_master") == [("mine",)]
    assert rows(other, "PRAGMA journal_mode") == [("delete",)]


@pytest.mark.answers(
    "Study and votes",
    "`study` with rates or numbers that cannot be",
    "error: quotes the value and its range; no file is made",
)
@pytest.mark.parametrize(
    ("settings", "quoted"),
    [
        (Settings(trials=0), "trials per subject is 0"),
        (Settings(trials=13), "13; it must be 1 to 12"),
        (Settings(repeat_rate=0.6), "repeat rate is 0.6"),
        (Settings(obvious_rate=float("nan")), "obvious rate is nan"),
        (Settings(training=-1), "training trials is -1"),
    ],
)
def test_settings_that_cannot_be(db, pairs, settings, quoted):
    with pytest.raises(SriqaError, match=quoted):
        Store(db, pairs, settings)
    assert not db.exists()
