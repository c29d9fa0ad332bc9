"""How busy decoding, crops and network are while a folder is scored, beside a plain loop.

The plain loop does the same for one image after the other: decode, cut the crops, send them
through the network, read the score. Busy is what a part takes of the time of the run; decoding, and
crops that are cut beside it, of all its threads' time. Two ceilings go with it: decoding alone in
the same threads, and the network alone on crops that are on its device. On the CPU both want the
same processors, so where both take long no run comes near the lower one.

    python benchmarks/overlap.py [FOLDER] [--device cuda] [--metric sriqa_lite]

Without a folder, the images of examples/ are scored. Medians (lowest-highest) of rounds in turn.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import sriqa_metric as sriqa
from sriqa_metric import scoring
from sriqa_metric.crops import read_crops
from sriqa_metric.images import to_tensor
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.scoring import default_workers, in_threads, score_stream

ROUNDS = 5
PARTS = {"decode": "to_tensor", "cut crops": "cut_crops", "finish crops": "finish_crops"}
BESIDE = ("decode", "cut crops")  # in the threads that decode


@contextmanager
def watched(metric: CalibratedMetric) -> Iterator[dict[str, float]]:
    """Seconds spent in each part inside the block, by all threads together."""
    seconds: dict[str, float] = defaultdict(float)
    lock = threading.Lock()

    def timed(what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **options: Any) -> Any:
            start = time.perf_counter()
            found = work(*given, **options)
            if what == "network" and metric.device.type == "cuda":
                torch.cuda.synchronize(metric.device)
            with lock:
                seconds[what] += time.perf_counter() - start
            return found

        return run

    with ExitStack() as stack:
        for what, name in PARTS.items():
            work = timed(what, getattr(scoring, name))
            stack.enter_context(mock.patch.object(scoring, name, work))
        stack.enter_context(mock.patch.object(metric, "encode", timed("network", metric.encode)))
        yield seconds


@torch.inference_mode()
def plain(metric: CalibratedMetric, paths: list[Path]) -> None:
    """One image after the other."""
    for path in paths:
        crops = read_crops(to_tensor(path).to(metric.device), metric.policy)
        metric.read(metric.encode(crops).mean(0, keepdim=True)).item()


@torch.inference_mode()
def network_only(metric: CalibratedMetric, crops: torch.Tensor, number: int) -> None:
    """So many crops, in full passes."""
    for start in range(0, number, len(crops)):
        codes = metric.encode(crops[: number - start])
    codes.cpu()


def decode_only(paths: list[Path], workers: int) -> None:
    """All images, in as many threads as scoring does."""
    for _ in in_threads(to_tensor, paths, workers, workers, "decode"):
        pass


def main(folder: Path, device: str, name: str) -> None:
    """Time all of them in turn."""
    metric = sriqa.load(name, device=device)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg"))
    if device == "cuda":
        paths *= -(-2000 // len(paths))
    number = sum(len(read_crops(to_tensor(path), metric.policy)) for path in paths)
    size = metric.policy.size
    crops = torch.rand(metric.crops_per_pass, size, size, 3, device=device).permute(0, 3, 1, 2)
    workers = default_workers(metric.device)
    runs: dict[str, Callable[[], object]] = {
        "score_stream": lambda: list(score_stream(metric, paths)),
        "plain loop": lambda: plain(metric, paths),
        "decode only": lambda: decode_only(paths, workers),
        "network only": lambda: network_only(metric, crops, number),
    }
    seconds: dict[str, list[float]] = defaultdict(list)
    busy: dict[str, list[float]] = defaultdict(list)
    for round_ in range(ROUNDS + 1):
        for what, run in runs.items():
            with watched(metric) as parts:
                start = time.perf_counter()
                run()
                took = time.perf_counter() - start
            if not round_:  # the first warms up
                continue
            seconds[what].append(took)
            if what == "score_stream":
                for part, spent in parts.items():
                    busy[part].append(spent / took / (workers if part in BESIDE else 1))

    threads = f"{torch.get_num_threads()} threads"
    where = torch.cuda.get_device_name() if device == "cuda" else threads
    print(f"{name} on {where}, torch {torch.__version__}, {workers} decoding")
    print(f"{len(paths)} images, {number} crops, {len(crops)} in a pass")
    for what, found in seconds.items():
        print(f"{what:14} {_spread([len(paths) / took for took in found])} images/s")
    for part, shares in busy.items():
        print(f"{part:14} {_spread(shares)} busy")
    for other in ("plain loop", "decode only", "network only"):
        ratios = [b / a for a, b in zip(seconds["score_stream"], seconds[other], strict=True)]
        print(f"score_stream / {other:12} {_spread(ratios)}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("examples/images"))
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--metric", default="sriqa_lite")
    given = parser.parse_args()
    main(given.folder, given.device, given.metric)
