"""From files to a comparison, with the bundled metric."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sriqa_metric.compare import compare
from sriqa_metric.errors import SriqaError
from tests.conftest import EXAMPLES

METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")


def test_examples(lite):
    found = compare(lite, [f"{EXAMPLES}/*_{method}.png" for method in METHODS])
    assert (found.metric, found.weights) == ("sriqa_lite", lite.weights_id)
    assert found.contents == ("astronaut", "chelsea", "coffee")
    assert [method.name for method in found.methods] == list(METHODS)
    best_first = sorted(range(3), key=lambda row: -np.mean(found.scores[row]))
    assert [found.methods[row].rank for row in best_first] == [1, 2, 3]
    assert found.methods[0].rank == 3  # bicubic
    for row, method in zip(found.scores, METHODS, strict=True):
        paths = [EXAMPLES / f"{content}_{method}.png" for content in found.contents]
        assert row == pytest.approx(lite.score(paths), abs=1e-5)
    for pair in found.pairs:
        assert (pair.n, pair.p_holm) == (3, 0.75)
        if pair.a == "bicubic":
            assert (pair.wins_a, pair.p_value) == (0, 0.25)
        assert pair.winner is None
    assert found.failed == found.notes == found.unmatched == ()


def test_a_copy_has_equal_scores(lite, pictures, tmp_path):
    first = pictures("first")
    shutil.copytree(first, tmp_path / "second")
    (tmp_path / "second" / "extra.png").touch()
    found = compare(lite, [first, tmp_path / "second"])
    (pair,) = found.pairs
    assert (pair.p_value, pair.win_rate, pair.effect, pair.winner) == (1, 0.5, 0, None)
    assert [method.rank for method in found.methods] == [1, 1]
    assert [one.content for one in found.unmatched] == ["extra"]


def test_a_failed_file_drops_its_content(lite, pictures):
    first, second = pictures("first"), pictures("second")
    (second / "2.png").write_bytes(b"no image")
    found = compare(lite, [first, second])
    assert found.contents == ("0", "1", "3")
    assert found.scores.shape == (2, 3)
    assert [len(row) for row in found.paths] == [3, 3]
    (failure,) = found.failed
    assert (failure.content, failure.path) == ("2", str(second / "2.png"))
    assert failure.error.startswith(f"{second / '2.png'}: is not an image")


def test_nothing_left_to_compare(lite, pictures):
    first, second = pictures("first"), pictures("second")
    for path in second.iterdir():
        path.write_bytes(b"")
    with pytest.raises(SriqaError, match=r"no content could be scored .*4 of 8 files .*is empty"):
        compare(lite, [first, second])


def test_different_sizes_are_noted(lite, pictures):
    found = compare(lite, [pictures("first"), pictures("second", (30, 20))])
    assert found.notes[0].startswith("the results on 4 of 4 contents differ in size")
    assert found.notes[0].endswith("0, 1, 2 and 1 more")


def test_importing_the_package_is_light():
    code = "import sys, sriqa_metric.compare.output\n"
    code += "print([m for m in ('torch', 'scipy', 'jinja2', 'rich') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.slow
def test_real_methods(lite, real_data: Path, tmp_path):
    root = real_data / "sr-mini"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    for method in METHODS:
        (tmp_path / method).mkdir()
        for content in range(12):
            (tmp_path / method / f"{content:03}.webp").symlink_to(
                root / method / f"{content:03}.webp"
            )
    found = compare(lite, [tmp_path / method for method in METHODS])
    assert len(found.contents) == 12
    best_first = sorted(range(3), key=lambda row: -np.mean(found.scores[row]))
    assert [found.methods[row].rank for row in best_first] == [1, 2, 3]
    assert found.methods[0].rank == 3  # bicubic
    assert [pair.winner for pair in found.pairs[1:]] == [METHODS[2], METHODS[2]]
