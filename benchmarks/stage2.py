"""Seconds and memory of stage 2 at the size of the paper, on made codes.

12 methods, 8,377 contents with 8 random draws each, labelled sets of 10,073 and 23,200 images with
8 draws, 512 features and 5 logits as in sriqa_clip, 8 epochs, B = 64; 500 contents held out. The
codes lie in mapped files, as a cache does. Peak memory is what the process holds for itself beyond
what it held before, the mapped codes not counted; on CUDA it is torch's own count of the device's
memory.

    python benchmarks/stage2.py [cuda]

Needs Linux and 2.7 GB in the temporary folder. Two CPU threads.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from sriqa_metric.models.clip import ClipQualityModel
from sriqa_metric.models.rectifier import Rectifier

METHODS, CONTENTS, HELD, DRAWS = 12, 8377, 500, 8
LABELLED = (10073, 23200)
CODE = 5 + 512


class Reader:
    """Reads codes as sriqa_clip does; what it reads with has no weights."""

    feature_dim = 512
    crops_per_pass = 15
    read = ClipQualityModel.read


def made_codes(path: Path, *shape: int) -> Tensor:
    """Random codes in a file, mapped."""
    codes = np.lib.format.open_memmap(path, "w+", np.float32, (*shape, CODE))
    rng = np.random.default_rng(0)
    for row in codes:
        row[:] = rng.standard_normal(row.shape, dtype=np.float32)
    codes.flush()
    return torch.from_numpy(codes)


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


def main(device: str) -> None:
    """Make the codes, train, and print one line."""
    torch.set_num_threads(2)
    config = RectifierConfig(epochs=8, contents=64, draws=DRAWS)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = StageTwoData(
            results=made_codes(root / "results.npy", METHODS, CONTENTS, 1 + DRAWS),
            mu=torch.linspace(1, -1, METHODS),
            held_out=made_codes(root / "held.npy", METHODS, HELD),
            labelled=tuple(
                (made_codes(root / f"{m}.npy", m, 1 + DRAWS), torch.rand(m)) for m in LABELLED
            ),
        )
        rectifier = Rectifier(Reader.feature_dim).to(device)
        memory, load = Memory(), os.getloadavg()[0]
        start = time.perf_counter()
        with RunFolder(root / "run", {}) as run:
            train_rectifier(rectifier, Reader(), data, config, 0, run)
        seconds = time.perf_counter() - start
    steps = config.epochs * (CONTENTS // config.contents)
    if device == "cuda":
        where = torch.cuda.get_device_name()
        most = f"{torch.cuda.max_memory_allocated() / 2**20:.0f} MiB of the device"
    else:
        where = f"CPU, {torch.get_num_threads()} threads, load before {load:.1f}"
        most = f"+{memory.peak - memory.before:.0f} MiB on {memory.before:.0f} MiB"
    print(f"{where}, torch {torch.__version__}")
    print(f"{steps} steps in {seconds:.1f} s, {1000 * seconds / steps:.1f} ms a step; peak {most}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
