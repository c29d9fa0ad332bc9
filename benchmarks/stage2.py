"""Seconds and memory of stage 2 at the size of the paper, on made codes.

12 methods, 8,377 contents with 8 random draws each, labelled sets of 10,073 and 23,200 images with
8 draws, 512 features and 5 logits as in sriqa_clip, 8 epochs, B = 64; 500 contents held out. Codes
are in the shards of a cache, and stay there or are copied into memory before, each way in a process
of its own. Peak memory is what a process holds for itself beyond what it held before, without the
pages of files, which the system drops where memory is short. On CUDA it is torch's own count of the
device's memory. Opening is reading the shards and their checksums.

    python benchmarks/stage2.py [cuda]

Needs Linux and 2.6 GB in the temporary folder; codes in memory need as much of it. Two CPU threads.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.features.shards import Shards
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from sriqa_metric.models.clip import ClipQualityModel
from sriqa_metric.models.rectifier import Rectifier

METHODS, CONTENTS, HELD, DRAWS = 12, 8377, 500, 8
SETS = {"results": METHODS * CONTENTS, "first": 10073, "second": 23200}
CODE = 5 + 512


class Reader:
    """Reads codes as sriqa_clip does; what it reads with has no weights."""

    feature_dim = 512
    crops_per_pass = 15
    read = ClipQualityModel.read


def shards_of(root: Path, name: str) -> Shards:
    """Those of one set."""
    return Shards(root / name, "made", (1 + DRAWS, CODE))


def images_of(number: int) -> list[str]:
    """What stands for the checksums of so many images."""
    return [f"{index:064x}" for index in range(number)]


def make_shards(root: Path) -> int:
    """Random codes of all sets; their bytes."""
    rng = np.random.default_rng(0)
    size = 0
    for name, number in SETS.items():
        shards, images = shards_of(root, name), images_of(number)
        shards.folder.mkdir()
        for start in range(0, number, 256):
            some = images[start : start + 256]
            codes = rng.standard_normal((len(some), 1 + DRAWS, CODE), dtype=np.float32)
            shards.write(some, torch.from_numpy(codes))
        size += shards.size()
    return size


class Memory(threading.Thread):
    """Watches the memory that the process has for itself, mapped files not counted, in MiB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.before = self.peak = self.now()
        self.start()

    @staticmethod
    def now() -> float:
        """As the kernel counts it."""
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(x.split()[1]) for x in lines if x.startswith("RssAnon")) / 2**10

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(0.02)


def trained(root: Path, copied: bool, device: str) -> str:
    """Open the codes, train, and what that needed."""
    torch.set_num_threads(2)
    memory, start = Memory(), time.perf_counter()
    opened = {name: shards_of(root, name).read(images_of(n)) for name, n in SETS.items()}
    opening = time.perf_counter() - start
    sets = {name: codes[:] if copied else codes for name, codes in opened.items()}
    data = StageTwoData(
        results=sets["results"].view(METHODS, CONTENTS, 1 + DRAWS, *([CODE] if copied else [])),
        mu=torch.linspace(1, -1, METHODS),
        held_out=torch.randn(METHODS, HELD, CODE, generator=torch.Generator().manual_seed(0)),
        labelled=tuple((sets[name], torch.rand(SETS[name])) for name in ("first", "second")),
    )
    config = RectifierConfig(epochs=8, contents=64, draws=DRAWS)
    rectifier = Rectifier(Reader.feature_dim).to(device)
    start = time.perf_counter()
    with RunFolder(root / f"run {copied}", {}) as run:
        train_rectifier(rectifier, Reader(), data, config, 0, run)
    seconds = time.perf_counter() - start
    steps = config.epochs * (CONTENTS // config.contents)
    peak = f"+{memory.peak - memory.before:.0f} MiB on {memory.before:.0f} MiB"
    if device == "cuda":
        peak += f", {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB of the device"
    return (
        f"opened in {opening:.1f} s; {steps} steps in {seconds:.1f} s, "
        f"{1000 * seconds / steps:.1f} ms a step; peak {peak}"
    )


def main(device: str) -> None:
    """Make the codes, train both ways, and print a line of each."""
    where = torch.cuda.get_device_name() if device == "cuda" else "CPU, 2 threads"
    print(f"{where}, load before {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        size = make_shards(root)
        print(f"{sum(SETS.values())} images, {1 + DRAWS} codes of each: {size / 2**20:.0f} MiB")
        for name, copied in (("in files", False), ("in memory", True)):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                print(f"{name:9} {pool.submit(trained, root, copied, device).result()}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
