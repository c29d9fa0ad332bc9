import http.client
import json
import random
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from sriqa_metric.calibrate.study.export import export_votes
from tests.calibrate.study.conftest import ServerProcess, make_images

pytest.importorskip("starlette", reason="the extra `study` is not installed")
pytest.importorskip("uvicorn", reason="the extra `study` is not installed")

SUBJECTS = 9
CONTENTS = 12
KILL_AT = (50, 120, 190, 260, 330)  # acknowledged votes


class Subject(threading.Thread):
    """Answers every trial as the page does: sends a vote until it is acknowledged."""

    def __init__(self, server: ServerProcess, number: int) -> None:
        super().__init__(daemon=True)
        self.server, self.number = server, number
        self.random = random.Random(number)
        self.sent: dict[int, str] = {}
        self.acknowledged: list[int] = []
        self.retries = 0
        self.problem: object = None

    def call(self, name: str, body: dict) -> dict:
        request = urllib.request.Request(
            f"{self.server.url}/api/{name}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=20) as reply:
                    return json.load(reply)
            except urllib.error.HTTPError:
                raise
            except (OSError, http.client.HTTPException, ValueError):
                self.retries += 1
                time.sleep(0.05)

    def run(self) -> None:
        try:
            body = {"code": f"subject-{self.number}", "start_id": "0" * 16, "consent": True}
            session = self.call("start", body)["session"]
            trials = self.call("progress", {"session": session})["trials"]
            while trials:
                trial = trials[0]["id"]
                assert trial not in self.sent
                choice = self.sent[trial] = self.random.choice(("left", "right"))
                vote = {"session": session, "trial": trial, "choice": choice, "response_ms": 9}
                trials = self.call("vote", vote)["trials"]
                self.acknowledged.append(trial)
                if self.random.random() < 0.1:  # a second tab, with another choice
                    other = "right" if choice == "left" else "left"
                    trials = self.call("vote", {**vote, "choice": other})["trials"]
                if self.random.random() < 0.1:  # on another computer
                    session = self.call("resume", {"code": f"subject-{self.number}"})["session"]
                time.sleep(0.02)
        except Exception as error:
            self.problem = error


@pytest.mark.answers(
    "Study and votes",
    "a server killed (SIGKILL) again and again while people vote",
    "every acknowledged vote is stored, once",
)
@pytest.mark.slow
def test_no_vote_is_lost_or_doubled_when_the_server_is_killed(tmp_path: Path, server) -> None:
    root = make_images(tmp_path / "images", CONTENTS)
    db = tmp_path / "votes.sqlite"
    running = server(root / "pairs.csv", root, db)
    subjects = [Subject(running, number) for number in range(SUBJECTS)]
    for subject in subjects:
        subject.start()
    for limit in KILL_AT:
        while sum(len(s.acknowledged) for s in subjects) < limit and any(
            s.is_alive() for s in subjects
        ):
            time.sleep(0.002)
        running.kill()
        running.start()
    for subject in subjects:
        subject.join(120)
        assert not subject.is_alive()
        assert subject.problem is None
    running.kill()

    sent = {trial: choice for subject in subjects for trial, choice in subject.sent.items()}
    acknowledged = [trial for subject in subjects for trial in subject.acknowledged]
    with sqlite3.connect(db) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = connection.execute(
            "SELECT vote.trial, choice, a_side FROM vote JOIN trial ON trial.id = vote.trial"
        ).fetchall()
        levels = Counter(n for (n,) in connection.execute("SELECT votes FROM pair"))
    retries = sum(subject.retries for subject in subjects)
    print(
        f"{len(sent)} sent, {len(acknowledged)} acknowledged, {len(found)} found, {retries} retries"
    )
    assert len(acknowledged) >= 300
    assert retries >= len(KILL_AT)
    assert Counter(trial for trial, _, _ in found) == Counter(acknowledged)
    for trial, choice, a_side in found:
        assert choice == ("a" if sent[trial] == a_side else "b")
    assert levels == {SUBJECTS: 3 * CONTENTS}
    assert export_votes(db, tmp_path / "votes.csv") == len(sent)
