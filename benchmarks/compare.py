"""Seconds to compare 12 methods by made scores on 1,000 contents, and to write what that says.

python benchmarks/compare.py
"""

from __future__ import annotations

import io
import time

import numpy as np

from sriqa_metric.compare import Comparison, Comparisons
from sriqa_metric.compare.output import WRITERS, write_comparisons
from sriqa_metric.compare.report import render

METHODS, CONTENTS = 12, 1000


def make_scores() -> np.ndarray:
    """Scores (methods, contents) that share what is easy and hard about a content."""
    rng = np.random.default_rng(0)
    level = 0.2 * np.arange(METHODS)[:, None] + rng.normal(0, 10, CONTENTS)
    return level + rng.normal(0, 3, (METHODS, CONTENTS))


def main() -> None:
    """Time the statistics, twice because the first loads scipy, the formats and the report."""
    names = [f"method {k}" for k in range(METHODS)]
    scores = make_scores()
    for label in ("statistics, scipy not yet loaded", "statistics"):
        start = time.perf_counter()
        comparison = Comparison.from_scores(names, scores, metric="made", weights="none")
        print(f"{label:34}{time.perf_counter() - start:7.3f} s")
    for style in WRITERS:
        start = time.perf_counter()
        write_comparisons(Comparisons((comparison,)), style, io.StringIO())
        print(f"{style:34}{time.perf_counter() - start:7.3f} s")
    start = time.perf_counter()
    page = render(Comparisons((comparison,)))
    print(f"{f'report, {len(page) / 1e6:.2f} MB':34}{time.perf_counter() - start:7.3f} s")


if __name__ == "__main__":
    main()
