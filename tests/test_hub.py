"""Fetching weights with the real client from a Hub on the loopback interface.

Its settings are read when huggingface_hub is imported, so every client here is its own process.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import astuple
from pathlib import Path

import pytest

from sriqa_metric.crops import CropPolicy
from sriqa_metric.files import sha256_of
from sriqa_metric.hub import HubFile
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.lite import LiteQualityModel
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.registry import REPO_VARIABLE
from sriqa_metric.weights.format import save_weights
from tests.hub_server import Hub, Repo

DATA = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(DATA).hexdigest()
NAME = "sriqa_clip.safetensors"
FROM = {"repo": "org/name", "revision": "main", "file": NAME, "sha256": DIGEST}

answers = pytest.mark.answers
HUB = "Weights and the Hub"
NOBODY = "http://127.0.0.1:9"  # the port for discarding, where nothing listens

FETCH = """
import json, sys
from sriqa_metric.hub import HubFile
from sriqa_metric.registry import fetch_weights

print(fetch_weights(HubFile(*json.loads(sys.argv[1]))))
"""
# The client tries five times and waits longer and longer; a test of its last word need not.
IMPATIENT = "import time\ntime.sleep = lambda seconds: None\n"


def a_hub(fault: str | None = None) -> Hub:
    repo = Repo({NAME: DATA}, tags=("v1",))
    gated = Repo({NAME: DATA}, token="hf_right")
    return Hub({"org/name": repo, "org/gated": gated}, fault)


@pytest.fixture
def hub():
    with a_hub() as hub:
        yield hub


class Client:
    """Processes that fetch from a Hub into a cache of their own."""

    def __init__(self, endpoint: str, home: Path) -> None:
        own = ("HF_", "HUGGINGFACE", "SRIQA_", "XDG_")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(own)}
        set_here = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
        self.environment = inherited | set_here
        self.home = home

    def start(
        self, wanted: HubFile, script: str = FETCH, prefix: tuple[str, ...] = (), **settings: str
    ) -> subprocess.Popen[str]:
        """A process that prints the path of the file."""
        return subprocess.Popen(
            [*prefix, sys.executable, "-c", script, json.dumps(astuple(wanted))],
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def fetch(self, wanted: HubFile, **settings) -> Path:
        """The path that was fetched."""
        out, errors = self.start(wanted, **settings).communicate(timeout=60)
        assert out, errors
        return Path(out.strip())

    def fail(self, wanted: HubFile, **settings) -> str:
        """Why it could not be fetched."""
        return message_of(self.start(wanted, **settings))

    def blobs(self) -> list[Path]:
        """Every whole file of a repository."""
        found = self.home.glob("hub/models--*/blobs/*")
        return [path for path in found if path.suffix != ".incomplete"]


def message_of(process: subprocess.Popen[str]) -> str:
    """The message, one line, of the one WeightsError that ends a process."""
    out, errors = process.communicate(timeout=60)
    assert not out
    assert errors.count("Traceback (most recent call last)") == 1, errors
    kind, _, message = errors.splitlines()[-1].partition(": ")
    assert kind == "sriqa_metric.errors.WeightsError", errors
    return message


@pytest.fixture
def client(hub, tmp_path) -> Client:
    return Client(hub.url, tmp_path / "home")


def wanted(**changes) -> HubFile:
    return HubFile(**(FROM | changes))


@pytest.mark.answers(
    "Weights and the Hub", "weights fetched before, and now no network", "the cache serves them"
)
def test_a_file_is_fetched_once_and_then_needs_no_hub(hub, client):
    path = client.fetch(wanted(revision="v1"))
    assert path.read_bytes() == DATA
    assert path.is_relative_to(client.home)
    assert path.parent.name == hub.repos["org/name"].commit
    assert client.fetch(wanted()) == path
    assert hub.downloads() == [None]
    hub.requests.clear()
    assert client.fetch(wanted(), HF_HUB_OFFLINE="1") == path
    assert client.fetch(wanted(), HF_ENDPOINT=NOBODY) == path
    assert not hub.requests


@pytest.mark.answers(
    "Weights and the Hub", "weights of a pinned commit in the cache", "used without a request"
)
def test_a_pinned_commit_in_the_cache_is_not_even_asked_for(hub, client):
    pinned = wanted(revision=hub.repos["org/name"].commit)
    path = client.fetch(pinned)
    hub.requests.clear()
    assert client.fetch(pinned) == path
    assert not hub.requests


def test_a_gated_repository_opens_to_its_token(client):
    path = client.fetch(wanted(repo="org/gated"), HF_TOKEN="hf_right")
    assert path.read_bytes() == DATA


# What goes wrong -> (fault of the server, what is wanted, settings, words of the message).
FAILURES = {
    "no such repository": (None, {"repo": "org/other"}, {}, "no such repository, or a private one"),
    "no such revision": (None, {"revision": "v9"}, {}, "the repository has no such revision"),
    "no such file": (None, {"file": "other"}, {}, "the repository has no such file"),
    "malformed name": (None, {"repo": "org/na--me"}, {}, "Cannot have -- or .. in repo_id"),
    "gated": (None, {"repo": "org/gated"}, {}, "is gated; ask for access on its page and set HF"),
    "wrong token": (None, {"repo": "org/gated"}, {"HF_TOKEN": "hf_no"}, "the repository is gated"),
    "nobody there": (None, {}, {"HF_ENDPOINT": NOBODY}, "no connection"),
    "offline": (None, {}, {"HF_HUB_OFFLINE": "1"}, "not in the cache"),
    "server down": ("down", {}, {}, "503"),
    "no Hub there": ("portal", {}, {}, "what answers there is no Hub; check HF_ENDPOINT"),
    "cut short": ("short", {}, {}, "the download did not finish"),
    "flipped bit": ("flipped", {}, {}, f"expected {DIGEST}: delete "),
    "flipped, unpinned": ("flipped", {"sha256": None}, {}, f"expected {DIGEST}: delete "),
    "other SHA-256": (None, {"sha256": "0" * 64}, {}, f"SHA-256 is {DIGEST}, expected 0000"),
    "no folder for it": (None, {}, {"HF_HOME": __file__}, ": Not a directory"),
}


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """Every failure of the table, all under way at once."""
    with ExitStack() as stack:
        started = {}
        for name, (fault, change, settings, _) in FAILURES.items():
            hub = stack.enter_context(a_hub(fault))
            client = Client(hub.url, tmp_path_factory.mktemp("home"))
            process = client.start(wanted(**change), IMPATIENT + FETCH, **settings)
            started[name] = hub, client, process
        yield started


# What goes wrong -> what the published table says of it: given, answer.
TOLD = {
    "no such repository": (
        "a repository that the Hub does not have",
        "error: no such repository, or a private one, for which set HF_TOKEN",
    ),
    "no such revision": ("a revision that the repository does not have", "error that names it"),
    "no such file": (
        "a repository without the metric's file",
        "error: the repository has no such file",
    ),
    "gated": ("a gated repository, no token", "error: ask for access on its page and set HF_TOKEN"),
    "wrong token": ("a gated repository, a wrong token", "error: the repository is gated"),
    "nobody there": ("no network", "error: no connection, and the ways out"),
    "offline": ("HF_HUB_OFFLINE=1 and the file not in the cache", "error that names the cache"),
    "server down": ("a Hub that answers 503", "error: 503, after the client's retries"),
    "no Hub there": ("a login page in place of the Hub", "error: what answers there is no Hub"),
    "cut short": (
        "a download that is cut short",
        "error: the download did not finish; nothing is kept",
    ),
    "flipped bit": ("a bit flipped on the way", "error: both SHA-256, and which file to delete"),
    "flipped, unpinned": (
        "a bit flipped on the way, no SHA-256 pinned",
        "error: not the SHA-256 that the Hub states",
    ),
    "other SHA-256": (
        "a file that is not the one pinned",
        "error: both SHA-256, and which file to delete",
    ),
    "no folder for it": ("HF_HOME that is no folder", "error that names it"),
}


def told(name: str):
    """A failure with its row of the table."""
    row = TOLD.get(name)
    return pytest.param(name, marks=[answers(HUB, *row)] if row else [])


@pytest.mark.parametrize("name", [told(name) for name in FAILURES])
def test_failures(name, failing):
    _, change, settings, words = FAILURES[name]
    hub, client, process = failing[name]
    message = message_of(process)
    assert words in message
    asked = wanted(**change)
    for told in (asked.repo, asked.revision, asked.file):
        assert told in message
    if "expected" not in words:  # else the file came, and the way out is to delete it
        assert settings.get("HF_ENDPOINT", hub.url) in message
        for way_out in ("sriqa_lite", "--weights FILE", REPO_VARIABLE, "sriqa-calibrate"):
            assert way_out in message
        assert not client.blobs()


@pytest.mark.answers(
    "Weights and the Hub",
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


@pytest.mark.answers(
    "Weights and the Hub", "two processes that fetch at once", "one download, both get the file"
)
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


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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


@pytest.mark.answers(
    "Weights and the Hub",
    "a read-only cache without the file",
    "error: permission denied, with the folder",
)
def test_a_read_only_cache_without_the_file(client, read_only):
    message = client.fail(wanted(), prefix=read_only())
    assert f"{client.home}/hub: Permission denied" in message


LOAD = """
import os, sys
from dataclasses import replace
import sriqa_metric as sriqa
from sriqa_metric.hub import HubFile
from sriqa_metric.registry import CATALOG

local, picture, *released = sys.argv[1:]

def show(**weights):
    metric = sriqa.load("sriqa_lite", **weights)
    print(metric.weights_id, metric.score(picture).hex())

show(weights=local)
assert "huggingface_hub" not in sys.modules
os.environ["SRIQA_WEIGHTS_REPO"] = "org/name"
show()
del os.environ["SRIQA_WEIGHTS_REPO"]
CATALOG["sriqa_lite"] = replace(
    CATALOG["sriqa_lite"], bundled=None, released=HubFile("org/name", *released)
)
show()
"""


def test_fetched_weights_score_as_the_local_file(hub, client, tmp_path, picture):
    from PIL import Image

    local = random_lite(tmp_path / "sriqa_lite.safetensors")
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / "picture.png")
    repo = hub.repos["org/name"]
    repo.files[local.name] = local.read_bytes()
    released = (repo.commit, local.name, sha256_of(local))
    found = subprocess.run(
        [sys.executable, "-c", LOAD, local, tmp_path / "picture.png", *released],
        env=client.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].startswith(f"sha256:{released[2][:12]} ")
    assert lines == [lines[0]] * 3
    assert hub.downloads() == [None]  # one commit, one file, one download


def random_lite(path: Path) -> Path:
    model = LiteQualityModel()
    metric = CalibratedMetric("sriqa_lite", model, Rectifier(model.feature_dim), CropPolicy())
    save_weights(path, metric, {"training_data": "none, random weights"})
    return path
