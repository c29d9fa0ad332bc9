import csv
import io
import sqlite3
import threading
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra `study` is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")

from starlette.testclient import TestClient

from sriqa_metric.calibrate.study.serve import serve
from sriqa_metric.errors import SriqaError
from tests.calibrate.study.conftest import ADMIN, TOKEN


def start(client: TestClient, code: str = "code-one", **more: object) -> str:
    body = {"code": code, "start_id": "0123456789abcdef", "consent": True, **more}
    reply = client.post("/api/start", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()["session"]


def answer(client: TestClient, session: str, choice: str = "left") -> dict:
    trial = client.post("/api/progress", json={"session": session}).json()["trials"][0]
    body = {"session": session, "trial": trial["id"], "choice": choice, "response_ms": 700}
    reply = client.post("/api/vote", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_whole_session(client, study):
    info = client.post("/api/info", json={}).json()
    assert (info["trials"], info["training"], info["width"], info["height"]) == (8, 1, 52, 48)
    session = start(client, age_band="30-44", display_notes="an <b>old</b> one")
    screen = {"ratio": 1.5, "width": 1200, "height": 800, "other": 1, "colour_depth": "x"}
    reply = client.post("/api/progress", json={"session": session, "screen": screen}).json()
    assert [trial["training"] for trial in reply["trials"]] == [True, False]
    assert set(reply["trials"][1]) == {
        *("id", "training", "width", "height", "left", "right", "input")
    }
    for side in ("left", "right", "input"):
        image = client.get(reply["trials"][0][side])
        assert image.headers["content-type"] == "image/png"
        assert "immutable" in image.headers["cache-control"]
    assert isinstance(answer(client, session)["right"], bool)
    for done in range(1, 9):
        reply = answer(client, session)
        assert reply["done"] == done
        assert "right" not in reply
    assert reply["trials"] == []
    report = client.get("/admin/report", headers=ADMIN).json()
    (subject,) = report["subjects"]
    assert (subject["code"], subject["done"], subject["total"]) == ("code-one", 8, 8)
    assert subject["screen"] == '{"ratio": 1.5, "width": 1200, "height": 800}'
    assert subject["display_notes"] == "an <b>old</b> one"
    assert subject["obvious"][1] == subject["repeat"][1] == 1
    assert subject["left"] == 1
    assert subject["repeat"] == [0, 1]  # always left, and repeats swap the sides
    assert all(pair["a"] + pair["b"] == 1 for pair in report["pairs"])


def test_the_ranking_or_the_reason_why_not(client):
    assert client.get("/admin/report", headers=ADMIN).json()["ranking"]["reason"]
    for number in range(40):
        session = start(client, f"code-{number:02}")
        for _ in range(9):
            answer(client, session, "left" if number % 2 else "right")
    ranking = client.get("/admin/report", headers=ADMIN).json()["ranking"]
    assert ranking["reason"] is None
    assert [row["votes"] for row in ranking["methods"]] == [160] * 3
    for row in ranking["methods"]:
        assert row["low"] < row["mu"] < row["high"]
    scores = [row["mu"] for row in ranking["methods"]]
    assert scores == sorted(scores, reverse=True)
    assert abs(sum(scores)) < 1e-9


@pytest.mark.answers("Study and votes", "the experimenter's page without its token", "401")
def test_export_needs_the_token_and_has_both_schemas(client):
    session = start(client)
    for _ in range(9):
        answer(client, session)
    tidy = client.get("/admin/tidy", headers=ADMIN)
    assert tidy.headers["content-type"].startswith("text/csv")
    assert len(list(csv.DictReader(io.StringIO(tidy.text)))) == 9
    assert "code-one" not in tidy.text
    assert session not in tidy.text
    realsr1k = client.get("/admin/realsr1k", headers=ADMIN).text
    assert len(list(csv.DictReader(io.StringIO(realsr1k)))) == 6
    assert client.get("/admin/other", headers=ADMIN).status_code == 404
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}):
        for what in ("report", "tidy", "other"):
            reply = client.get(f"/admin/{what}?token={TOKEN}", headers=headers)
            assert reply.status_code == 401
            assert "code" not in reply.text


@pytest.mark.parametrize("path", ["/", "/admin", "/study.js", "/admin.js", "/study.css"])
def test_pages_are_strict_and_ask_nobody_else(client, path):
    reply = client.get(path)
    assert reply.status_code == 200
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    text = reply.text.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert "://" not in text
    assert "innerHTML" not in text
    assert " style=" not in text
    assert " onclick=" not in text


@pytest.mark.answers(
    "Study and votes",
    "an address of another file (`/image/../votes.sqlite`, `%2e%2e`, `//etc/passwd`)",
    "404, or 401 below `/admin`",
)
@pytest.mark.parametrize(
    "path",
    [
        "/image/",
        "/image/0",
        "/image/" + "0" * 32,
        "/image/one_dat.png",
        "/image/../pairs.csv",
        "/image/..%2fpairs.csv",
        "/image/%2e%2e/%2e%2e/etc/passwd",
        "/image/....//v.sqlite",
        "/image/%00",
        "/static/study.js",
        "/study.js/../server.py",
        "/store.py",
        "/v.sqlite",
        "/pairs.csv",
        "//etc/passwd",
        "/admin/../v.sqlite",
    ],
)
def test_nothing_else_can_be_fetched(client, path):
    reply = client.get(path)
    assert reply.status_code in (401, 404)
    assert len(reply.content) < 100
    assert "content-security-policy" in reply.headers


def test_every_image_of_the_study_and_no_other(client, study, folder):
    Path(folder / "private.png").write_bytes((folder / "one_dat.png").read_bytes())
    assert client.get(f"/image/{study.images.result('private.png')}").status_code == 404
    assert client.get(f"/image/{study.images.result('one_dat.png')}").status_code == 200


@pytest.mark.answers(
    "Study and votes",
    "an image that vanishes while the study runs",
    "500 for it, which names no path; the page tries again",
)
def test_an_image_that_vanishes_is_an_error_that_names_no_path(client, study, folder):
    name = study.images.result("one_dat.png")
    (folder / "one_dat.png").unlink()
    reply = client.get(f"/image/{name}")
    assert reply.status_code == 500
    assert str(folder) not in reply.text


@pytest.mark.answers("Study and votes", "HTML in a code or note", "stored and shown as text")
def test_markup_in_names_stays_text(client):
    session = start(client, display_notes="</script><script>alert(1)</script>")
    reply = client.post("/api/resume", json={"code": "<img src=x onerror=alert(1)>"})
    assert reply.headers["content-type"] == "application/json"
    report = client.get("/admin/report", headers=ADMIN)
    assert report.headers["content-type"] == "application/json"
    assert "script" in report.json()["subjects"][0]["display_notes"]
    assert session


def test_a_file_that_cannot_be_written_is_told_so_that_the_page_tries_again(client, study):
    session = start(client)
    reply = client.post("/api/progress", json={"session": session})
    trial = reply.json()["trials"][0]["id"]
    study.store._db.execute("PRAGMA query_only = ON")
    body = {"choice": "left", "response_ms": 1, "session": session, "trial": trial}
    assert client.post("/api/vote", json=body).status_code == 503
    study.store._db.execute("PRAGMA query_only = OFF")
    assert client.post("/api/vote", json=body).status_code == 200


@pytest.mark.answers(
    "Study and votes", "many participants voting at once", "each vote stored once; pairs stay level"
)
def test_many_at_once(client, study):
    replies = []

    def take_part(number: int) -> None:
        session = start(client, f"code-{number}")
        replies.extend(answer(client, session) for _ in range(9))

    threads = [threading.Thread(target=take_part, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 54
    with sqlite3.connect(study.db) as db:
        assert db.execute("SELECT count(*) FROM vote").fetchone() == (54,)
        levels = {votes for (votes,) in db.execute("SELECT votes FROM pair")}
    assert levels == {6}


@pytest.mark.answers(
    "Study and votes",
    "`study` at an address or port that cannot be listened on",
    "error: quotes it and says why",
)
def test_wrong_ways_to_serve(folder, tmp_path, server):
    pytest.importorskip("uvicorn", reason="the extra `study` is not installed")
    arguments = (folder / "pairs.csv", folder, tmp_path / "v.sqlite")
    with pytest.raises(SriqaError, match="admin token is 'short'"):
        serve(*arguments, admin_token="short")
    with pytest.raises(SriqaError, match="cannot listen"):
        serve(*arguments, host="192.0.2.1")
    with pytest.raises(SriqaError, match="99999: cannot listen"):
        serve(*arguments, port=99999)
    running = server(*arguments[:2], tmp_path / "other.sqlite")
    with pytest.raises(SriqaError, match=f"{running.port}: cannot listen"):
        serve(*arguments, port=running.port)
