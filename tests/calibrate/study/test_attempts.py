"""Guessing is slowed down, and being right is not."""

import pytest

from sriqa_metric.calibrate.study.attempts import IN_ALL, MOST_ADDRESSES, PER_ADDRESS, Attempts
from sriqa_metric.calibrate.study.store import Refused
from tests.calibrate.study.conftest import ADMIN
from tests.calibrate.study.test_server import answer, start

row = "Study and votes"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def wrong(attempts: Attempts, address: str = "192.0.2.1") -> int:
    """Status of a wrong attempt."""
    with pytest.raises(Refused) as error, attempts.attempt(address):
        raise Refused(404, "no such code")
    return error.value.status


def test_one_address_is_refused_after_some_and_may_again_later(clock):
    attempts = Attempts(clock)
    assert [wrong(attempts) for _ in range(PER_ADDRESS + 2)] == [404] * PER_ADDRESS + [429] * 2
    with pytest.raises(Refused, match="wait a minute"), attempts.attempt("192.0.2.1"):
        pytest.fail("a right attempt must not be told from a wrong one")
    with attempts.attempt("192.0.2.2"):
        pass
    clock.now += 60 / PER_ADDRESS + 0.01
    assert [wrong(attempts), wrong(attempts)] == [404, 429]
    clock.now += 3600
    assert [wrong(attempts) for _ in range(PER_ADDRESS + 1)] == [404] * PER_ADDRESS + [429]


def test_right_attempts_do_not_count(clock):
    attempts = Attempts(clock)
    for _ in range(5 * IN_ALL):
        with attempts.attempt("192.0.2.1"):
            pass
        with pytest.raises(ValueError, match="other"), attempts.attempt("192.0.2.1"):
            raise ValueError("other")
        with pytest.raises(Refused, match="busy"), attempts.attempt("192.0.2.1"):
            raise Refused(400, "busy")
    assert wrong(attempts) == 404


def test_many_at_once_get_no_further(clock):
    attempts = Attempts(clock)
    running = [attempts.attempt("192.0.2.1") for _ in range(PER_ADDRESS)]
    for one in running:
        one.__enter__()
    assert wrong(attempts) == 429
    for one in running:
        one.__exit__(None, None, None)
    assert wrong(attempts) == 404


@pytest.mark.answers(
    row, "codes guessed from ever new addresses", "429 after 100 wrong ones a minute in all"
)
def test_all_addresses_together(clock):
    attempts = Attempts(clock)
    found = [wrong(attempts, f"192.0.{k // 256}.{k % 256}") for k in range(IN_ALL + 5)]
    assert found == [404] * IN_ALL + [429] * 5


def test_one_network_of_ipv6_is_one_address(clock):
    attempts = Attempts(clock)
    found = [wrong(attempts, f"2001:db8::{k + 1:x}") for k in range(PER_ADDRESS + 1)]
    assert found == [404] * PER_ADDRESS + [429]
    assert wrong(attempts, "2001:db8:0:1::1") == 404


def test_memory_is_bounded(clock):
    attempts = Attempts(clock)
    for k in range(MOST_ADDRESSES + 100):
        clock.now += 1
        wrong(attempts, f"10.{k >> 16}.{k >> 8 & 255}.{k & 255}")
    assert len(attempts._of) == MOST_ADDRESSES


@pytest.mark.answers(
    "Study and votes",
    "codes of participants guessed from one address",
    "429 after ten wrong ones; one more every six seconds",
)
def test_guessed_codes_are_refused(client):
    start(client)
    wrong = [client.post("/api/resume", json={"code": f"guess-{k}"}).status_code for k in range(12)]
    assert wrong == [404] * 10 + [429] * 2
    right = client.post("/api/resume", json={"code": "code-one"})
    assert (right.status_code, right.json()["error"]) == (
        429,
        "Too many wrong attempts. Please wait a minute.",
    )
    taken = {"code": "code-one", "start_id": "f" * 16, "consent": True}
    assert client.post("/api/start", json=taken).status_code == 429
    assert client.get("/admin/report", headers=ADMIN).status_code == 200


@pytest.mark.answers(
    "Study and votes",
    "tokens of the experimenter guessed from one address",
    "429 after ten wrong ones; participants go on",
)
def test_guessed_tokens_are_refused(client):
    session = start(client)
    for status in [401] * 10 + [429] * 2:
        reply = client.get("/admin/report", headers={"Authorization": "Bearer guess"})
        assert reply.status_code == status
    assert client.get("/admin/report", headers=ADMIN).status_code == 429
    assert answer(client, session)["done"] == 0  # practice
    assert client.post("/api/resume", json={"code": "code-one"}).status_code == 200
