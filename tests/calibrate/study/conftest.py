"""Fixtures for the tests of the study."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.data.image_pairs import Pair, write_pairs
from sriqa_metric.calibrate.study.assignment import Settings
from sriqa_metric.calibrate.study.server import create_app
from sriqa_metric.calibrate.study.service import Study
from tests.chromium import browser as browser
from tests.chromium import driver as driver

if TYPE_CHECKING:
    from starlette.testclient import TestClient

METHODS = ("bicubic", "dat", "gan")
TOKEN = "the-admin-token"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
SERVE = """
import signal
import sys
from pathlib import Path
from sriqa_metric.calibrate.study.assignment import Settings
from sriqa_metric.calibrate.study.serve import serve
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup would have it ignored
pairs, root, db, port, options = sys.argv[1:]
serve(Path(pairs), Path(root), Path(db), port=int(port), admin_token="the-admin-token",
      settings=Settings(**eval(options)))
"""


@pytest.fixture
def pairs() -> list[Pair]:
    """Twelve pairs whose images do not exist."""
    names = [f"{number:02}" for number in range(12)]
    return [Pair(f"p{n}", f"c{n}", "A", "B", f"c{n}_A.png", f"c{n}_B.png") for n in names]


def make_images(root: Path, contents: int) -> Path:
    """Images of some contents, and `pairs.csv` with the three pairs of each."""
    rng = np.random.default_rng(0)
    root.mkdir()
    rows = []
    for content in ("one", "two", *(f"content{k}" for k in range(2, contents)))[:contents]:
        for name, size in (("LR", 12), *((method, 48) for method in METHODS)):
            pixels = rng.integers(0, 256, (size, size + 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f"{content}_{name}.png")
        for a, b in itertools.combinations(METHODS, 2):
            images = (f"{content}_{a}.png", f"{content}_{b}.png", f"{content}_LR.png")
            rows.append(
                Pair(f"{content}-{a}-{b}", content, a, b, *images, "mad", "0.1", "2.5", "1")
            )
    write_pairs(root / "pairs.csv", rows)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of two contents, and `pairs.csv` with six pairs."""
    return make_images(tmp_path / "images", 2)


@pytest.fixture
def study(folder: Path, tmp_path: Path) -> Study:
    """A study that no process serves."""
    settings = Settings(training=1)
    return Study.open(folder / "pairs.csv", folder, tmp_path / "v.sqlite", settings, TOKEN)


@pytest.fixture
def client(study: Study) -> Iterator[TestClient]:
    """Asks it within this process."""
    from starlette.testclient import TestClient

    with TestClient(create_app(study), base_url="http://localhost") as client:  # one event loop
        yield client


class ServerProcess:
    """A study served by a process of its own, always at the same port."""

    def __init__(self, pairs_csv: Path, root: Path, db: Path, options: dict[str, object]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = [str(v) for v in (pairs_csv, root, db, self.port, options)]
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-c", SERVE, *self._arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for _ in range(1200):
            if self.process.poll() is not None:
                raise RuntimeError(self.process.communicate()[1])
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("the server does not answer")

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def server() -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers, and kills them in the end."""
    started: list[ServerProcess] = []

    def start(pairs_csv: Path, root: Path, db: Path, **options: object) -> ServerProcess:
        started.append(ServerProcess(pairs_csv, root, db, options))
        return started[-1]

    yield start
    for one in started:
        one.kill()
