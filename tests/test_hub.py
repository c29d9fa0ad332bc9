"""Fetching weights: what comes, and what is said when it does not."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from sriqa_metric.crops import CropPolicy
from sriqa_metric.files import sha256_of
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.lite import LiteQualityModel
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.registry import REPO_VARIABLE
from sriqa_metric.weights.format import save_weights
from tests.hub_client import (
    DATA,
    DIGEST,
    FETCH,
    IMPATIENT,
    NOBODY,
    Client,
    a_hub,
    client,
    hub,
    message_of,
    wanted,
)

__all__ = ["client", "hub"]  # fixtures

answers = pytest.mark.answers
HUB = "Weights and the Hub"


@answers(HUB, "weights fetched before, and now no network", "the cache serves them")
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


@answers(HUB, "weights of a pinned commit in the cache", "used without a request")
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
