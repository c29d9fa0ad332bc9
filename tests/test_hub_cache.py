"""What a cache that is damaged, shared, half filled or read-only gives."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.hub_client import (
    DATA,
    DIGEST,
    FETCH,
    IMPATIENT,
    NAME,
    client,
    hub,
    wait_until,
    wanted,
)

__all__ = ["client", "hub"]  # fixtures

answers = pytest.mark.answers
HUB = "Weights and the Hub"


@answers(
    HUB,
    "a damaged file in the cache",
    "error that names the file to delete; then it is fetched anew",
)
def test_damage_in_the_cache_is_never_used_and_its_message_puts_it_right(client):
    asked = wanted(sha256=None)
    client.fetch(asked).write_bytes(DATA[:-1] + b"?")
    message = client.fail(asked)
    assert client.fail(asked, HF_HUB_OFFLINE="1") == message
    Path(message.split("delete ")[1].split(" and try again")[0]).unlink()
    assert client.fetch(asked).read_bytes() == DATA


def test_a_store_shared_by_repositories_names_files_by_another_hash(client):
    asked = wanted(sha256=None)
    path = client.fetch(asked)
    blob, shared = path.resolve(), client.home / "hub" / ("f" * 64)
    blob.rename(shared)
    blob.symlink_to(shared)
    assert client.fetch(asked) == path


@answers(HUB, "a connection that breaks midway", "taken up again")
def test_a_broken_connection_is_taken_up_again(hub, client):
    data = DATA * 24  # the client writes 10 MiB at a time
    hub.repos["org/name"].files[NAME] = data
    hub.fault = "broken"
    asked = wanted(sha256=hashlib.sha256(data).hexdigest())
    client.start(asked, script=IMPATIENT + FETCH).communicate(timeout=60)
    path = client.fetch(asked)  # older clients take it up here, newer ones did so above
    assert path.stat().st_size == len(data)
    first, second = hub.downloads()
    assert first is None
    assert second.startswith("bytes=1")


@answers(HUB, "a download killed midway", "the next one finishes it")
def test_a_download_killed_midway_is_finished_by_the_next(hub, client):
    hub.fault = "stalled"
    first = client.start(wanted())
    wait_until(hub.downloads)
    time.sleep(0.2)  # some bytes are on the disk, or nearly
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert "not in the cache" in client.fail(wanted(), HF_HUB_OFFLINE="1")
    hub.fault = None
    assert client.fetch(wanted()).read_bytes() == DATA


@answers(HUB, "two processes that fetch at once", "one download, both get the file")
def test_two_processes_at_once(hub, client):
    hub.fault = "stalled"
    both = [client.start(wanted()) for _ in range(2)]
    wait_until(lambda: len(hub.requests) >= 5)  # both have asked, one of them is being served
    hub.resume.set()
    paths = {process.communicate(timeout=60)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    assert Path(paths.pop()).read_bytes() == DATA
    assert [path.name for path in client.blobs()] == [DIGEST]
    assert hub.downloads() == [None]


@pytest.fixture
def read_only(tmp_path):
    """A cache that nobody may write to, and what to run clients with so that root may not."""
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root, to whom permissions mean nothing, and no setpriv to change that")
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    home = tmp_path / "home"
    home.mkdir()

    def protect(mode: int = 0o555) -> tuple[str, ...]:
        for folder in (home, *(path for path in home.rglob("*") if path.is_dir())):
            folder.chmod(mode)
        return prefix

    yield protect
    protect(0o755)


@answers(HUB, "a read-only cache that has the file", "used")
def test_a_read_only_cache_serves_what_it_has(client, read_only):
    path = client.fetch(wanted())
    assert client.fetch(wanted(), prefix=read_only()) == path


@answers(
    HUB,
    "a read-only cache without the file",
    "error: permission denied, with the folder",
)
def test_a_read_only_cache_without_the_file(client, read_only):
    message = client.fail(wanted(), prefix=read_only())
    assert f"{client.home}/hub: Permission denied" in message
