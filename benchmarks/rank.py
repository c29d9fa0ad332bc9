"""Seconds to rank 200 methods from 1,000,000 made votes, file and all.

python benchmarks/rank.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

METHODS, OBSERVERS, VOTES = 200, 200, 1_000_000


def make_votes(path: Path) -> None:
    """Votes of Thurstone observers on random pairs, in the tidy schema."""
    rng = np.random.default_rng(0)
    mu = rng.normal(size=METHODS)
    first = rng.integers(METHODS, size=VOTES)
    second = (first + rng.integers(1, METHODS, size=VOTES)) % METHODS
    choice = np.where(mu[first] - mu[second] + rng.normal(size=VOTES) > 0, "a", "b")
    observer = rng.integers(OBSERVERS, size=VOTES)
    content = rng.integers(100, size=VOTES)
    with path.open("w", encoding="utf-8") as stream:
        stream.write("observer,content,method_a,method_b,choice\n")
        rows = zip(observer, content, first, second, choice, strict=True)
        stream.writelines(f"o{o},c{c},m{a},m{b},{x}\n" for o, c, a, b, x in rows)


def main() -> None:
    """Make the file, rank it as a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.csv"
        make_votes(path)
        words = [sys.executable, "-m", "sriqa_metric.calibrate.cli", "rank", str(path)]
        start = time.perf_counter()
        subprocess.run(
            [*words, "--bootstrap", "0", "--format", "csv"], check=True, stdout=subprocess.DEVNULL
        )
        print(f"{VOTES} votes on {METHODS} methods ranked in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
