"""What a server may not do: write elsewhere, never end, or pass for what it is not."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest

from sriqa_metric.deadline import DeadlineError, deadline
from sriqa_metric.version import __version__
from tests.hub_client import DATA, DIGEST, FETCH, Client, a_hub, client, hub, message_of, wanted

__all__ = ["client", "hub"]  # fixtures

answers = pytest.mark.answers
HUB = "Weights and the Hub"


@answers(HUB, "a mirror whose `ETag` is a path", "error before the download; nothing is written")
@pytest.mark.parametrize("etag", ["../../../../escaped", "/tmp/escaped", "..", "a/b", "a\\b"])
def test_an_etag_that_is_a_path_is_refused_before_the_download(hub, client, etag):
    hub.etag = etag
    message = client.fail(wanted())
    assert f"the ETag {etag!r} is no name of a file" in message
    assert not hub.downloads()
    assert not [path for path in client.home.parent.rglob("*escaped*")]
    hub.etag = None
    assert client.fetch(wanted()).read_bytes() == DATA


CHANGED = """
import sriqa_metric.hub as hub
hub._require_plain_etag = lambda wanted: None  # a server that lies only the second time
"""


@answers(HUB, "a client that puts the file outside its cache", "error; that file is not used")
def test_a_file_outside_the_cache_is_not_used(hub, client):
    hub.etag = "../../../../escaped"
    message = message_of(client.start(wanted(), CHANGED + FETCH))
    assert "outside the cache" in message, message


def test_a_link_out_of_the_cache_is_not_used(client, tmp_path):
    path = client.fetch(wanted())
    (tmp_path / "mine").write_bytes(DATA)
    path.unlink()
    path.symlink_to(tmp_path / "mine")
    assert f"lies at {tmp_path / 'mine'}, outside the cache" in client.fail(wanted())
    assert (tmp_path / "mine").read_bytes() == DATA


@answers(HUB, "a cache, or a repository in it, that is a link to another disk", "used")
def test_the_cache_may_be_a_link(client, tmp_path):
    path = client.fetch(wanted())
    (client.home / "hub" / "models--org--name").rename(tmp_path / "disk")
    (client.home / "hub" / "models--org--name").symlink_to(tmp_path / "disk")
    assert client.fetch(wanted()) == path
    (client.home / "hub").rename(tmp_path / "other")
    (client.home / "hub").symlink_to(tmp_path / "other")
    assert client.fetch(wanted()).samefile(path)


SHORT = """
import atexit, sys, threading
import sriqa_metric.hub
sriqa_metric.hub.LIMIT = 1.5
atexit.register(lambda: print(*map(type, threading.enumerate()), file=sys.stderr))
"""


@answers(HUB, "a download that drips without end", "error after an hour in all; nothing is left")
def test_a_download_that_drips_is_given_up(hub, client):
    hub.fault = "dripping"
    start = time.monotonic()
    process = client.start(wanted(), SHORT + FETCH, HF_HUB_DISABLE_PROGRESS_BARS="1")
    out, errors = process.communicate(timeout=60)
    assert not out
    assert time.monotonic() - start < 20
    *_, message, threads = errors.splitlines()
    assert "not done after 1.5 s, given up; try again" in message
    assert "Timer" not in threads
    assert not list(client.home.glob("hub/models--*/blobs/*"))
    hub.fault = None
    assert client.fetch(wanted()).read_bytes() == DATA


def test_a_deadline_ends_the_thread_that_it_is_of():
    ended = []

    def work():
        try:
            with deadline(0.1):
                while True:
                    time.sleep(0.01)
        except DeadlineError:
            ended.append(threading.current_thread())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert set(ended) == set(threads)


def test_a_deadline_that_is_kept_raises_nothing_later():
    before = threading.active_count()
    for _ in range(20):
        with deadline(0.005):
            pass
    time.sleep(0.05)
    assert threading.active_count() <= before


@answers(HUB, "a file whose SHA-256 nobody pinned", "used; one line on stderr says `unverified`")
def test_an_unpinned_file_is_said_to_be_unverified_once(client):
    twice = FETCH + "fetch_weights(HubFile(*json.loads(sys.argv[1])))\n"
    for asked, lines in ((wanted(sha256=None), 1), (wanted(), 0)):
        out, errors = client.start(asked, twice).communicate(timeout=60)
        assert out
        told = [line for line in errors.splitlines() if "unverified" in line]
        assert len(told) == lines
    assert hashlib.sha256(DATA).hexdigest() == DIGEST


def test_the_hub_is_told_who_asks(hub, client):
    client.fetch(wanted())
    assert hub.agents
    assert all(f"sriqa-metric/{__version__}" in agent for agent in hub.agents)


def test_what_is_in_the_cache_is_served_when_the_hub_is_down(client, tmp_path):
    path = client.fetch(wanted())
    with a_hub("down") as down:
        other = Client(down.url, client.home)
        assert other.fetch(wanted()) == path
