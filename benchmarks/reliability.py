"""What people said of photographs, by the score that sriqa_lite gives them.

    python benchmarks/reliability.py BIQ2021

Test photographs of BIQ2021, whose MOS are spread over five levels as in training. A Markdown
table: scores, photographs, mean MOS with a 95 % interval (normal), and the share of MOS in that
mean ± 0.5.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

import sriqa_metric as sriqa
from sriqa_metric.calibrate.data.mos_sets import read_labelled
from sriqa_metric.scoring import score_all

EDGES = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)


def main() -> None:
    """Score and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    rated = read_labelled("biq2021", parser.parse_args().folder)
    rated = rated.select(np.array(rated.splits) == "test")
    scores = np.array(score_all(sriqa.load("sriqa_lite"), rated.paths))
    levels = 1 + 4 * rated.mos
    print("| score | photographs | mean opinion | 95 % interval | within half a level |")
    print("|---|---|---|---|---|")
    for low, high in pairwise(EDGES):
        inside = levels[(low <= scores) & (scores < high)]
        if len(inside) < 10:
            continue
        half = 1.96 * inside.std(ddof=1) / len(inside) ** 0.5
        mean, near = inside.mean(), (abs(inside - inside.mean()) <= 0.5).mean()
        interval = f"{mean - half:.2f} to {mean + half:.2f}"
        print(f"| {low} to {high} | {len(inside)} | {mean:.2f} | {interval} | {near:.0%} |")
    off = scores - levels
    print(f"\nRMSE {np.sqrt((off**2).mean()):.2f} levels, bias {off.mean():+.2f}")


if __name__ == "__main__":
    main()
