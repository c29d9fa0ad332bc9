"""Which hosts and origins a study answers."""

import pytest

pytest.importorskip("starlette", reason="the extra `study` is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")

from starlette.testclient import TestClient

from sriqa_metric.calibrate.study.guard import name_of
from sriqa_metric.calibrate.study.serve import serve
from sriqa_metric.calibrate.study.server import create_app
from sriqa_metric.errors import SriqaError

BODY = {"code": "code-one", "start_id": "0" * 16, "consent": True}
row = "Study and votes"


def ask(study, host, origin=None, at="127.0.0.1", names=(), method="POST"):
    client = TestClient(create_app(study, at, names), base_url="http://localhost")
    headers = {"Host": host} | ({"Origin": origin} if origin else {})
    if method == "GET":
        return client.get("/", headers=headers).status_code
    return client.post("/api/start", json=BODY, headers=headers).status_code


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "localhost.", "lab.local:80"],
)
def test_hosts_that_are_served(study, host):
    assert ask(study, host, at="lab.local") == 200


@pytest.mark.answers(
    row,
    "a web page elsewhere whose name is made to point to the study's computer (DNS rebinding)",
    "421: Host is not that of the study; nothing is stored",
)
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("192.0.2.7", "", ":8000", "localhost:x", "[::1", "a b", "localhost/", "user@localhost"),
    ],
)
def test_other_hosts_are_refused(study, host):
    for method in ("GET", "POST"):
        assert ask(study, host, method=method) == 421
    assert study.report()["subjects"] == []


def test_a_refused_host_is_told_with_the_way_out_and_safe_headers(study):
    client = TestClient(create_app(study), base_url="http://evil.example")
    reply = client.get("/")
    assert reply.json()["error"].startswith("This study is not served as 'evil.example'")
    assert "--name" in reply.json()["error"]
    assert "content-security-policy" in reply.headers


@pytest.mark.answers(
    row,
    "`study --host 0.0.0.0`, opened by an address in digits",
    "served; by a name only with `--name`",
)
@pytest.mark.parametrize("at", ["0.0.0.0", "::"])
def test_at_every_address_digits_are_served_and_names_are_not(study, at):
    assert ask(study, "192.0.2.7:8000", at=at) == 200
    assert ask(study, "[2001:db8::7]:8000", at=at) == 200
    assert ask(study, "lab.example", at=at) == 421
    assert ask(study, "lab.example", at=at, names=["Lab.example"]) == 200


@pytest.mark.answers(
    row, "a vote sent by a page of another site", "403: it cannot take part; nothing is stored"
)
@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "null", "http://localhost:3000", "file://", "localhost:8000"),
        *("https://localhost.evil.example", "ftp://localhost:8000"),
    ],
)
def test_pages_of_other_sites_cannot_change_anything(study, origin):
    assert ask(study, "localhost:8000", origin) == 403
    assert study.report()["subjects"] == []


@pytest.mark.parametrize(
    ("host", "origin", "names"),
    [
        ("localhost:8000", "http://localhost:8000", []),
        ("[::1]:8000", "http://[::1]:8000", []),
        ("study.example", "https://study.example", ["study.example"]),
        # A web server with HTTPS in front that puts its own name for the study into Host.
        ("127.0.0.1:8000", "https://study.example", ["study.example"]),
    ],
)
def test_its_own_page_can(study, host, origin, names):
    assert ask(study, host, origin, names=names) == 200


@pytest.mark.answers(
    row, "`study --name http://lab.example`", "error: quotes it; a host's name is needed"
)
@pytest.mark.parametrize("name", ["http://lab.example", "lab.example:80", "", "a b", "[::1]"])
def test_names_that_are_none(folder, tmp_path, name):
    pytest.importorskip("uvicorn", reason="the extra `study` is not installed")
    with pytest.raises(SriqaError, match="it must be a host's, without http:// and port"):
        serve(folder / "pairs.csv", folder, tmp_path / "v.sqlite", names=[name])
    assert not (tmp_path / "v.sqlite").exists()


def test_names_of_authorities():
    assert name_of("lab.example:80") == "lab.example"
    assert name_of("[::1]:80") == "::1"
    assert name_of("lab:80:90") is None
