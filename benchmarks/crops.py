"""Agreement with people, and time, against the number of test crops of sriqa_lite.

    python benchmarks/crops.py BIQ2021

Photographs of BIQ2021's training part that were kept out of training, to choose by. Times are of
whole folder runs, decoding and all: medians (lowest-highest) of rounds in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

import sriqa_metric as sriqa
from sriqa_metric.calibrate.data.mos_sets import read_labelled, split_by_content
from sriqa_metric.calibrate.statistics import srcc
from sriqa_metric.crops import CropPolicy
from sriqa_metric.scoring import score_all

NUMBERS = (4, 5, 6, 7, 9, 15)
TIMED = 40  # photographs
ROUNDS = 7


def main() -> None:
    """Score and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    rated = read_labelled("biq2021", parser.parse_args().folder)
    rated = rated.select(np.array(rated.splits) == "training")
    held = split_by_content(rated, {"training": 0.9, "validation": 0.1}, 0).part("validation")
    policies = [CropPolicy(number=number) for number in NUMBERS]
    metrics = [sriqa.load("sriqa_lite", policy=policy) for policy in policies]
    agreement = [srcc(np.array(score_all(metric, held.paths)), held.mos) for metric in metrics]
    seconds: list[list[float]] = [[] for _ in metrics]
    for _ in range(ROUNDS):
        for metric, found in zip(metrics, seconds, strict=True):
            start = time.perf_counter()
            score_all(metric, held.paths[:TIMED])
            found.append((time.perf_counter() - start) / TIMED)
    print("| crops | SRCC | ms/image | the last / this |")
    print("|---|---|---|---|")
    for number, value, found in zip(NUMBERS, agreement, seconds, strict=True):
        times = f"{1000 * statistics.median(found):.1f} ({1000 * min(found):.1f}-"
        times += f"{1000 * max(found):.1f})"
        ratio = statistics.median(
            last / this for last, this in zip(seconds[-1], found, strict=True)
        )
        print(f"| {number} | {value:.4f} | {times} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
