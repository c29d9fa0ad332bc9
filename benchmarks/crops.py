"""Agreement with people, and time, against the number of test crops of sriqa_lite.

    python benchmarks/crops.py BIQ2021

Photographs of BIQ2021's training part that were kept out of training, to choose by.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import sriqa_metric as sriqa
from sriqa_metric.calibrate.data.mos_sets import read_labelled, split_by_content
from sriqa_metric.calibrate.statistics import srcc
from sriqa_metric.crops import CropPolicy
from sriqa_metric.scoring import score_all


def main() -> None:
    """Score and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    rated = read_labelled("biq2021", parser.parse_args().folder)
    rated = rated.select(np.array(rated.splits) == "training")
    held = split_by_content(rated, {"training": 0.9, "validation": 0.1}, 0).part("validation")
    print("| crops | SRCC | s/image |")
    print("|---|---|---|")
    for number in (3, 5, 7, 9, 15):
        metric = sriqa.load("sriqa_lite", policy=CropPolicy(number=number))
        start = time.perf_counter()
        scores = np.array(score_all(metric, held.paths))
        seconds = (time.perf_counter() - start) / len(held.paths)
        print(f"| {number} | {srcc(scores, held.mos):.4f} | {seconds:.3f} |", flush=True)


if __name__ == "__main__":
    main()
