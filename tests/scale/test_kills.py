"""10,000 images, a worker killed, the driver killed: every image once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import sriqa_metric as sriqa
from sriqa_metric.crops import CropPolicy
from tests.random_weights import save_random

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
N = 10_000
# Files of 400 rows, however slowly Ray starts, so that there is a beginning of the output soon;
# prints the peak of memory in KiB after 2,000 rows and after the last.
DRIVER = """
import resource, sys
from sriqa_metric.scale import output, score_dataset

def peaks(errors, total):
    for place, error in enumerate(errors):
        if place == 2000:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        yield error
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

output._ROWS = 400
output._SECONDS = 3600.0
folder, weights, place = sys.argv[1:]
found = score_dataset(folder, weights=weights, output=place, workers=2, track=peaks)
print(found.scored, found.failed, found.skipped)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Ten thousand images of 32×32 pixels, no two alike."""
    rng = np.random.default_rng(0)
    made = tmp_path_factory.mktemp("images")
    for number in range(N):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(made / f"{number:05}.png")
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return save_random("sriqa_lite", tmp_path_factory.mktemp("w"), CropPolicy(size=32, number=1))


def parents() -> dict[int, int]:
    """Of every process its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = entry.joinpath("stat").read_text().rpartition(")")[2].split()
                found[int(entry.name)] = int(words[1])
            except (OSError, ProcessLookupError):
                continue
    return found


def below(process: int) -> Iterator[int]:
    """All that a process started, and what these did."""
    of = parents()
    for child in [child for child, parent in of.items() if parent == process]:
        yield child
        yield from below(child)


def actors(driver: int) -> list[int]:
    return [
        process
        for process in below(driver)
        if b"_Actor" in Path(f"/proc/{process}/cmdline").read_bytes()
    ]


def wait_for(condition, process: subprocess.Popen, what: str) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, f"ended before {what}: {process.communicate()}"
        assert time.monotonic() < end, what
        time.sleep(0.05)


def rows_of(place: Path) -> list[dict]:
    return pq.read_table(place).to_pylist() if list(place.glob("part-*")) else []


@pytest.mark.answers("Data sets on Ray", "`kill -9` of a worker", "no image lost or doubled")
@pytest.mark.answers(
    "Data sets on Ray",
    "`kill -9` of the driver, and the same command again",
    "the rest is scored; no image lost or doubled",
)
def test_nothing_is_lost_or_doubled(folder, weights, tmp_path):
    pytest.importorskip("ray")
    place = tmp_path / "scores.parquet"
    command = [sys.executable, "-c", DRIVER, str(folder), str(weights), str(place)]

    def parts() -> int:
        return len(list(place.glob("part-*.parquet")))

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        wait_for(lambda: parts() >= 2, first, "the first rows")
        victim = actors(first.pid)[0]
        os.kill(victim, signal.SIGKILL)
        there = parts()
        wait_for(lambda: parts() >= there + 6, first, "rows after a worker was killed")
        assert len(set(actors(first.pid)) - {victim}) >= 1
        first.send_signal(signal.SIGKILL)
    held = {row["path"] for row in rows_of(place)}
    assert 3000 <= len(held) < N
    # At once, while what the killed one had started may still be running.
    second = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    early, late, counts = second.stdout.splitlines()
    assert counts == f"{N - len(held)} 0 {len(held)}"
    # The queues fill; 6,000 images kept would be 18 MB, their crops and codes 45.
    assert int(late) - int(early) < 60_000, "memory grows with the images"
    rows = rows_of(place)
    assert len(rows) == N
    assert {row["path"] for row in rows} == {str(path) for path in folder.iterdir()}
    metric = sriqa.load(weights=weights)
    for row in rows[::200]:
        assert row["score"] == pytest.approx(metric.score(row["path"]), abs=1e-5)
