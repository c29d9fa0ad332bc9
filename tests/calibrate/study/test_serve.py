"""A study's process: signals, a locked file, slow clients and those that leave."""

import http.client
import json
import signal
import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from sriqa_metric.calibrate.study.serve import serve
from sriqa_metric.errors import SriqaError
from tests.calibrate.study.conftest import ServerProcess

pytest.importorskip("starlette", reason="the extra `study` is not installed")
pytest.importorskip("uvicorn", reason="the extra `study` is not installed")

row = "Study and votes"
BODY = {"code": "code-one", "start_id": "0" * 16, "consent": True}


def call(server: ServerProcess, name: str, body: dict, timeout: float = 20) -> tuple[int, dict]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)) as http_:
        headers = {"Content-Type": "application/json"}
        http_.request("POST", f"/api/{name}", json.dumps(body), headers)
        reply = http_.getresponse()
        return reply.status, json.load(reply)


def get(server: ServerProcess, path: str) -> tuple[int, float]:
    """Status, and the seconds that it took."""
    begun = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as http_:
        http_.request("GET", path)
        reply = http_.getresponse()
        reply.read()
        return reply.status, time.monotonic() - begun


def start(server: ServerProcess, code: str = "code-one") -> dict:
    """A vote on the first trial, ready to be sent, and the trial."""
    session = call(server, "start", {**BODY, "code": code})[1]["session"]
    trial = call(server, "progress", {"session": session})[1]["trials"][0]
    vote = {"session": session, "trial": trial["id"], "choice": "left", "response_ms": 700}
    return {"vote": vote, "trial": trial}


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM vote").fetchone()[0]


def copied(db: Path) -> Path:
    """The file alone, without its logs."""
    copy = db.with_name("copy.sqlite")
    copy.write_bytes(db.read_bytes())
    return copy


@pytest.fixture
def running(folder, tmp_path, server) -> ServerProcess:
    return server(folder / "pairs.csv", folder, tmp_path / "v.sqlite", training=0)


@pytest.mark.answers(
    row,
    "the study's server gets SIGTERM or SIGHUP (`kill`, a closed terminal)",
    "it ends as with Ctrl-C: the file is closed and has every vote",
)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_close_the_file(running, tmp_path, name):
    assert call(running, "vote", start(running)["vote"])[0] == 200
    reader = sqlite3.connect(tmp_path / "v.sqlite")  # keeps SQLite from tidying up by itself
    reader.execute("SELECT count(*) FROM vote").fetchone()
    running.process.send_signal(getattr(signal, name))
    told = running.process.communicate(timeout=20)[1]
    assert running.process.returncode == 0, told
    assert told.endswith(f"stopped; the votes are in {tmp_path / 'v.sqlite'}\n")
    assert "Traceback" not in told
    assert (tmp_path / "v.sqlite-wal").stat().st_size == 0
    assert count(copied(tmp_path / "v.sqlite")) == 1
    reader.close()


@pytest.mark.answers(
    row, "a copy of `votes.sqlite` alone, made while the study runs", "has every vote so far"
)
def test_the_file_alone_has_every_vote_while_it_runs(running, tmp_path):
    for number in range(3):
        assert call(running, "vote", start(running, f"code-{number}")["vote"])[0] == 200
        assert count(copied(tmp_path / "v.sqlite")) == number + 1
    assert (tmp_path / "v.sqlite-wal").stat().st_size < 1 << 20


def test_a_running_study_can_be_backed_up(running, tmp_path):
    assert call(running, "vote", start(running)["vote"])[0] == 200
    with closing(sqlite3.connect(tmp_path / "v.sqlite")) as db:
        db.execute("VACUUM INTO ?", (str(tmp_path / "vacuum.sqlite"),))
    assert count(tmp_path / "vacuum.sqlite") == 1


@pytest.mark.slow
@pytest.mark.answers(
    row,
    "another program holds the lock of `votes.sqlite`",
    "pages and images are served as always; a vote waits some seconds, then is answered 503, "
    "which the page tells and tries again; none is lost or doubled",
)
def test_a_held_lock_stalls_no_page_and_loses_no_vote(running, tmp_path):
    ready = [start(running, f"code-{number:02}") for number in range(60)]
    holder = sqlite3.connect(tmp_path / "v.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    replies: list[tuple[int, dict]] = []
    threads = [
        threading.Thread(target=lambda one=one: replies.append(call(running, "vote", one["vote"])))
        for one in ready
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    paths = ("/", "/study.js", ready[0]["trial"]["left"], ready[1]["trial"]["right"])
    for path in paths:
        status, seconds = get(running, path)
        assert (status, seconds < 2) == (200, True)
    assert call(running, "info", {}, timeout=2)[0] == 200
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=2)) as http_:
        http_.request("GET", "/admin/report", headers={"Authorization": "Bearer the-admin-token"})
        assert http_.getresponse().status == 200
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun < 15  # the page gives up after 20
    assert {status for status, _ in replies} == {503}
    assert replies[0][1] == {"error": "The study's file cannot be used just now."}
    assert count(tmp_path / "v.sqlite") == 0
    holder.execute("COMMIT")
    holder.close()
    for one in ready:  # as the page does, and once more
        assert call(running, "vote", one["vote"])[0] == 200
        assert call(running, "vote", one["vote"])[0] == 200
    assert count(tmp_path / "v.sqlite") == 60


@pytest.mark.answers(
    row,
    "clients that leave in the middle of a request or an image",
    "no traceback, no trace: the server goes on",
)
def test_clients_that_leave(running):
    image = start(running)["trial"]["left"]
    head = "Host: localhost\r\nContent-Type: application/json\r\n"
    requests = [
        "",
        "POST /api/vo",
        f"POST /api/vote HTTP/1.1\r\n{head}Content-Length: 500\r\n\r\n" + '{"session"',
        f"GET {image} HTTP/1.1\r\n{head}\r\n",
        f"GET {image} HTTP/1.1\r\n{head}\r\n" * 20,
    ]
    for request in requests:
        for reset in (False, True):
            with socket.create_connection(("127.0.0.1", running.port)) as client:
                client.sendall(request.encode())
                if reset:  # RST in place of FIN
                    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    time.sleep(0.3)
    assert get(running, "/")[0] == 200
    running.process.terminate()
    told = running.process.communicate(timeout=20)[1]
    assert running.process.returncode == 0
    assert [line for line in told.splitlines() if "study:" in line or "stopped" in line]
    assert len(told.splitlines()) == 3, told


def wait_for_end(client: socket.socket, longest: float) -> tuple[bytes, float]:
    """What comes until the other side closes, and the seconds until then."""
    begun, found = time.monotonic(), b""
    client.settimeout(longest)
    try:
        while part := client.recv(1 << 16):
            found += part
    except ConnectionResetError:
        pass
    return found, time.monotonic() - begun


@pytest.mark.slow
@pytest.mark.answers(
    row,
    "clients that send a request's header or body a byte at a time (slowloris)",
    "the connection is closed after 15 s; others are served meanwhile",
)
def test_slow_requests_are_ended(running):
    head = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    sent = ["", "GET / HTTP/1.1\r\nHost: local", f"POST /api/vote HTTP/1.1\r\n{head}" + "{"]
    sent.append("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /")  # the second one is slow
    found: list[tuple[bytes, float]] = []

    def trickle(first: str) -> None:
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.sendall(first.encode())
            reader = threading.Thread(target=lambda: found.append(wait_for_end(client, 60)))
            reader.start()
            while reader.is_alive():
                try:
                    client.sendall(b"x")
                except OSError:
                    break
                reader.join(1)
            reader.join()

    threads = [threading.Thread(target=trickle, args=(first,)) for first in sent]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert get(running, "/")[1] < 2
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(5 < seconds < 40 for _, seconds in found), found
    assert any(b" 408 " in text for text, _ in found)


@pytest.mark.answers(
    row, "hundreds of open connections that ask nothing", "the oldest is closed for each new one"
)
def test_idle_connections_make_room(running):
    idle = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(230)]
    try:
        for _ in range(5):
            status, seconds = get(running, "/")
            assert (status, seconds < 2) == (200, True)
        closed = [ended(client) for client in idle]
        assert closed == sorted(closed, reverse=True)
        assert 30 <= sum(closed) < 40
    finally:
        for client in idle:
            client.close()


def ended(client: socket.socket) -> bool:
    """Whether the server has closed a connection."""
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.answers(
    row, "`study --images` with a wrong folder", "error: names it or its images; no file is made"
)
@pytest.mark.parametrize("wrong", ["missing", "empty", "layout", "broken"])
def test_wrong_images_make_no_file(folder, tmp_path, wrong):
    root = {"missing": tmp_path / "none", "layout": tmp_path}.get(wrong, folder)
    if wrong == "empty":
        root = tmp_path / "empty"
        root.mkdir()
    if wrong == "broken":
        (folder / "one_dat.png").write_bytes(b"no image")
    with pytest.raises(SriqaError, match="images"):
        serve(folder / "pairs.csv", root, tmp_path / "v.sqlite")
    assert not list(tmp_path.glob("v.sqlite*"))
