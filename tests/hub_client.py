"""Processes that fetch with the real client from a Hub on the loopback interface.

Its settings are read when huggingface_hub is imported, so every client here is its own process.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import astuple
from pathlib import Path

import pytest

from sriqa_metric.hub import HubFile
from tests.hub_server import Hub, Repo

DATA = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(DATA).hexdigest()
NAME = "sriqa_clip.safetensors"
FROM = {"repo": "org/name", "revision": "main", "file": NAME, "sha256": DIGEST}

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


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
