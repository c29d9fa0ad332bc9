"""Fixtures for the tests of comparisons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.compare import Comparison
from sriqa_metric.compare.comparison import Failure
from sriqa_metric.compare.matching import Results, Unmatched, find_results
from tests.chromium import browser as browser
from tests.chromium import driver as driver

HOSTILE = (
    "<script>alert(1)</script>",
    "\"quoted\" 'twice' & {{ 7 * 7 }}",
    r"a_b%c$d#e&f{g}h~i^j\k|l",
    "caf\udce9\n\\end{tabular}",
)


def one(*arguments: str | Path, **options: object) -> Results:
    """What is found in the only data set."""
    (found,) = find_results(arguments, **options)
    return found


@pytest.fixture
def hostile(rng: np.random.Generator) -> Comparison:
    """A comparison in which every text is hostile."""
    first, second, third, last = HOSTILE
    return Comparison.from_scores(
        HOSTILE,
        rng.normal(size=(4, 8)),
        [f"{k} {second}" for k in range(8)],
        metric=third,
        weights=first + "\n\\input{x}",
        unmatched=(Unmatched(first, (last,)),),
        failed=(Failure(second, first, f"{last}: {first}"),),
        notes=(first,),
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes empty files in a folder that is the current one."""
    monkeypatch.chdir(tmp_path)

    def make(*paths: str) -> Path:
        for path in paths:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
        return tmp_path

    return make


@pytest.fixture
def pictures(tmp_path: Path, rng: np.random.Generator) -> Callable[[str], Path]:
    """Makes a folder of four small noisy pictures."""

    def make(name: str, size: tuple[int, int] = (40, 30)) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for k in range(4):
            pixels = rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{k}.png")
        return folder

    return make
