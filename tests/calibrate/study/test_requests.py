"""Requests that no page sends: each is refused, and stores nothing."""

import sqlite3

import pytest

pytest.importorskip("starlette", reason="the extra `study` is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")

from tests.calibrate.study.test_server import start

VOTE = {"trial": 1, "choice": "left", "response_ms": 1}


@pytest.mark.answers(
    "Study and votes",
    "a vote with another trial, session, choice or time than can be",
    "refused with its reason; nothing is stored",
)
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("start", {}, 400),
        ("start", {"code": "code-two", "start_id": "0123456789abcdef"}, 400),
        ("start", {"code": "code-two", "start_id": "short", "consent": True}, 400),
        ("start", {"code": ["x"], "start_id": "0123456789abcdef", "consent": True}, 400),
        ("start", {"code": "code-two", "start_id": "0" * 65, "consent": True}, 400),
        ("start", {"code": "two\0two", "start_id": "0123456789abcdef", "consent": True}, 400),
        ("start", {"code": "' OR 1=1 --", "start_id": "0123456789abcdef", "consent": True}, 400),
        (
            "start",
            {"code": "code-two", "start_id": "0" * 16, "consent": True, "age_band": "12"},
            400,
        ),
        ("resume", {"code": "code-two"}, 404),
        ("resume", {"code": "' OR 1=1 --"}, 404),
        ("resume", {"code": None}, 400),
        ("progress", {}, 401),
        ("progress", {"session": "' OR 1=1 --"}, 401),
        ("progress", {"session": True, "screen": 1}, 400),
        ("progress", {"session": "SESSION", "screen": [1]}, 400),
        ("vote", {**VOTE}, 401),
        ("vote", {**VOTE, "session": "SESSION", "choice": "a"}, 400),
        ("vote", {**VOTE, "session": "SESSION", "choice": "tie"}, 400),
        ("vote", {**VOTE, "session": "SESSION", "trial": 999}, 404),
        ("vote", {**VOTE, "session": "SESSION", "trial": "1"}, 400),
        ("vote", {**VOTE, "session": "SESSION", "trial": True}, 400),
        ("vote", {**VOTE, "session": "SESSION", "trial": 10**30}, 400),
        ("vote", {**VOTE, "session": "SESSION", "trial": -1}, 400),
        ("vote", {**VOTE, "session": "SESSION", "response_ms": 1.5}, 400),
        ("vote", {**VOTE, "session": "SESSION", "response_ms": -1}, 400),
        ("nothing", {}, 404),
    ],
)
def test_wrong_requests_are_refused_and_store_nothing(client, study, path, body, status):
    session = start(client)
    client.post("/api/progress", json={"session": session})
    body = {name: session if value == "SESSION" else value for name, value in body.items()}
    reply = client.post(f"/api/{path}", json=body)
    assert reply.status_code == status, reply.text
    with sqlite3.connect(study.db) as db:
        assert db.execute("SELECT count(*) FROM subject").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM vote").fetchone() == (0,)


@pytest.mark.answers(
    "Study and votes", "a body that is too long, no JSON, or of another type", "413, 400 or 415"
)
@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 16000, "application/json", 400),
        (b'{"trial": ' + b"1" * 6000 + b"}", "application/json", 400),
        (b'{"code": "' + b"x" * 20000 + b'"}', "application/json", 413),
        (b'{"code": "code-\\ud800"}', "application/json", 400),
        (b'{"code": "code-two"}', "text/plain", 415),
        (b"code=code-two", "application/x-www-form-urlencoded", 415),
    ],
)
def test_wrong_bodies(client, content, kind, status):
    reply = client.post("/api/resume", content=content, headers={"Content-Type": kind})
    assert reply.status_code == status
    assert reply.json()["error"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods(client, method):
    assert client.request(method, "/api/vote").status_code == 405
