"""One step of stage 1 (CLIP ViT-B/32, random weights) beside what bounds it.

Two labelled sets are made: JPEG files of 1024x768 pixels as in KonIQ-10k, and BMP files of 288x288
as in PIPAL. A step takes 3 random crops of each of 16 images per set on CUDA (bf16), of 2 per set
on the CPU (float32). Images per second are medians (lowest-highest) of rounds in turn, after a
first step: decoding alone, network alone (forward, backward, optimizer, on crops that are there),
and both as in training. Memory is the peak of a step in a process of its own: on CUDA torch's own
count of the device's memory, on the CPU what the process holds at most (Linux).

    python benchmarks/stage1.py [cuda]

Needs the extra `clip`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sriqa_metric.calibrate.config import LabelsConfig
from sriqa_metric.calibrate.data.mos_sets import LabelledImages
from sriqa_metric.calibrate.training.crop_batches import CropBatches, Sources
from sriqa_metric.calibrate.training.label_steps import POLICY, LabelTraining
from sriqa_metric.models.clip import ClipQualityModel

SETS = {"photos": (1024, 768, "jpg"), "patches": (288, 288, "bmp")}
IMAGES = 64  # of each set


def make_images(folder: Path) -> None:
    """Smooth random pictures with some noise."""
    rng = np.random.default_rng(0)
    for name, (width, height, kind) in SETS.items():
        for index in range(IMAGES):
            coarse = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
            fine = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            smooth = Image.fromarray(coarse).resize((width, height))
            Image.blend(smooth, Image.fromarray(fine), 0.05).save(
                folder / f"{name}{index}.{kind}", quality=90
            )


def sets_of(folder: Path) -> list[LabelledImages]:
    """The images with random labels."""
    mos = np.random.default_rng(1).normal(size=IMAGES)
    files = {name: tuple(sorted(folder.glob(f"{name}*"))) for name in SETS}
    return [
        LabelledImages(name, paths, mos, tuple(map(str, paths))) for name, paths in files.items()
    ]


def make_training(folder: Path, device: str, checkpointing: bool) -> LabelTraining:
    """Stage 1 with random weights and texts."""
    cuda = device == "cuda"
    config = LabelsConfig(
        batch=16 if cuda else 2,
        precision="bf16" if cuda else "fp32",
        checkpointing=checkpointing,
    )
    torch.manual_seed(0)
    model = ClipQualityModel()
    model.text.normal_()
    batches = CropBatches(Sources(tuple(sets_of(folder))), config, 0, POLICY.size)
    return LabelTraining(model, batches, config, torch.device(device), None, "benchmark")


def rates(training: LabelTraining, steps: int, workers: int) -> list[float]:
    """Images per second of decoding alone, the network alone, and both."""
    images = steps * len(training.mos) * training.config.batch
    found = []
    start = time.perf_counter()
    batches = list(training.batches.stream(range(1, steps + 1), workers))
    found.append(images / (time.perf_counter() - start))
    start = time.perf_counter()
    for step, batch in enumerate(batches, start=1):
        training.step(step, batch)  # it reads its loss, and so waits for the device
    found.append(images / (time.perf_counter() - start))
    start = time.perf_counter()
    for step, batch in enumerate(training.batches.stream(range(1, steps + 1), workers), start=1):
        training.step(step, batch)
    found.append(images / (time.perf_counter() - start))
    return found


def peak_memory(folder: Path, device: str, checkpointing: bool) -> float:
    """GiB at the peak of the second step."""
    training = make_training(folder, device, checkpointing)
    batch = next(training.batches.stream(range(1, 2), 1))
    training.step(1, batch)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        training.step(2, batch)
        return torch.cuda.max_memory_allocated() / 2**30
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    training.step(2, batch)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def main(device: str) -> None:
    """Time the three in turn, then measure memory."""
    cuda = device == "cuda"
    where = torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} threads"
    workers = (os.cpu_count() or 1) if cuda else 1
    print(f"{where}, {workers} decoding threads, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_images(folder)
        training = make_training(folder, device, checkpointing=False)
        config = training.config
        print(
            f"{len(SETS)} sets x {config.batch} images x {config.crops} crops, {config.precision}"
        )
        rates(training, 1, workers)
        rounds = [rates(training, 30 if cuda else 1, workers) for _ in range(5 if cuda else 3)]
        for name, values in zip(
            ("decoding alone", "network alone", "both"), zip(*rounds, strict=True), strict=True
        ):
            spread = f"({min(values):.2f}-{max(values):.2f})"
            print(f"  {name:15} {statistics.median(values):8.2f} {spread} images/s")
        del training
        for checkpointing in (False, True):
            command = [sys.executable, __file__, device, temporary, str(checkpointing)]
            memory = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            print(f"  memory, checkpointing {checkpointing}: {float(memory):.2f} GiB")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(peak_memory(Path(sys.argv[2]), sys.argv[1], sys.argv[3] == "True"))
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
