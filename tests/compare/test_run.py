"""From files to comparisons: the bundled metric, and made ones that cost nothing."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.compare import compare
from sriqa_metric.compare.matching import Results
from sriqa_metric.compare.run import compare_all
from sriqa_metric.errors import SriqaError
from sriqa_metric.scorers.tables import read_score_tables
from tests.conftest import EXAMPLES, ROOT
from tests.scorers.made import MeanScorer

METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")
PATTERNS = [f"{EXAMPLES}/*_{method}.png" for method in METHODS]


def test_examples(lite):
    (found,) = compare(PATTERNS).each
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
        assert (pair.n, pair.p_holm) == (3, max(0.75, pair.p_value))
        if pair.a == "bicubic":
            assert (pair.wins_a, pair.p_value) == (0, 0.25)
        assert pair.winner is None
    assert found.failed == found.notes == found.unmatched == ()


def test_a_copy_has_equal_scores(lite, pictures, tmp_path):
    first = pictures("first")
    shutil.copytree(first, tmp_path / "second")
    (tmp_path / "second" / "extra.png").touch()
    (found,) = compare([first, tmp_path / "second"], lite).each
    (pair,) = found.pairs
    assert (pair.p_value, pair.win_rate, pair.effect, pair.winner) == (1, 0.5, 0, None)
    assert [method.rank for method in found.methods] == [1, 1]
    assert [one.content for one in found.unmatched] == ["extra"]


def test_a_failed_file_drops_its_content(lite, pictures):
    first, second = pictures("first"), pictures("second")
    (second / "2.png").write_bytes(b"no image")
    (found,) = compare([first, second], lite).each
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
        compare([first, second], lite)


def test_different_sizes_are_noted(lite, pictures):
    (found,) = compare([pictures("first"), pictures("second", (30, 20))], lite).each
    assert found.notes[0].startswith("the results on 4 of 4 contents differ in size")
    assert found.notes[0].endswith("0, 1, 2 and 1 more")


def grays(folder: Path, *levels: int) -> tuple[str, ...]:
    """Gray pictures of these levels."""
    folder.mkdir(parents=True)
    for k, level in enumerate(levels):
        Image.new("L", (8, 8), level).save(folder / f"{k}.png")
    return tuple(str(folder / f"{k}.png") for k in range(len(levels)))


@pytest.fixture
def results(tmp_path) -> Results:
    """Two methods on three contents with ground truth."""
    return Results(
        methods=("a", "b"),
        contents=("0", "1", "2"),
        paths=(grays(tmp_path / "a", 10, 20, 30), grays(tmp_path / "b", 13, 28, 39)),
        unmatched=(),
        files=(),
        data_set="set",
        references=grays(tmp_path / "gt", 11, 22, 33),
    )


def test_each_metric_has_its_units_and_its_direction(results):
    mean = MeanScorer()
    off = MeanScorer("off", higher_is_better=False, needs_reference=True)
    found = compare_all([mean, off], [results])
    assert (found.metrics, found.data_sets, found.missing) == (("mean", "off"), ("set",), ())
    by_mean, by_off = found.each
    assert by_mean.scores.tolist() == [[10, 20, 30], [13, 28, 39]]
    assert by_off.scores.tolist() == [[1, 2, 3], [2, 6, 6]]
    assert [method.rank for method in by_mean.methods] == [2, 1]
    assert [method.rank for method in by_off.methods] == [1, 2]
    assert (by_off.higher_is_better, by_off.weights) == (False, "off 1")


def test_one_more_metric_costs_only_itself(results, tmp_path):
    cache = tmp_path / "c.sqlite"
    first, second = MeanScorer(), MeanScorer("off", needs_reference=True)
    compare_all([first], [results], cache)
    found = compare_all([first, second], [results], cache)
    assert (len(first.read), len(second.read)) == (6, 6)
    assert compare_all([first, second], [results], cache).to_dict() == found.to_dict()
    assert (len(first.read), len(second.read)) == (6, 6)


KILLED = """
import os, signal, sys
from pathlib import Path
from sriqa_metric.compare.matching import Results
from sriqa_metric.compare.run import compare_all
from tests.scorers.made import MeanScorer

class Killed(MeanScorer):
    def score(self, paths, references=()):
        for k, score in enumerate(super().score(paths, references)):
            if k == 4:
                os.kill(os.getpid(), signal.SIGKILL)
            yield score

a, b, cache = sys.argv[1:]
paths = tuple(tuple(f"{folder}/{k}.png" for k in range(3)) for folder in (a, b))
compare_all([Killed()], [Results(("a", "b"), ("0", "1", "2"), paths, (), ())], Path(cache))
"""


@pytest.mark.answers(
    "Work and memory",
    "`sriqa-compare`, killed in the middle and started again",
    "goes on: what was scored is not scored again",
)
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_run_goes_on(results, tmp_path):
    cache = tmp_path / "c.sqlite"
    folders = [str(tmp_path / method) for method in results.methods]
    run = subprocess.run([sys.executable, "-c", KILLED, *folders, cache], cwd=ROOT)
    assert run.returncode == -signal.SIGKILL
    scorer = MeanScorer()
    compare_all([scorer], [results], cache)
    assert len(scorer.read) == 2


def test_a_file_that_fails_under_one_metric_is_left_out_for_that_one(results, tmp_path):
    file = tmp_path / "s.csv"
    lines = [f"{path},{k}" for k, path in enumerate(sum(results.paths, ())) if k != 4]
    file.write_text("\n".join(["path,score", *lines]))
    mean, table = compare_all([MeanScorer(), *read_score_tables(file)], [results]).each
    assert mean.contents == ("0", "1", "2")
    assert table.contents == ("0", "2")
    assert table.scores.tolist() == [[0, 2], [3, 5]]
    (failure,) = table.failed
    assert failure.error == f"{results.paths[1][1]}: has no score of s in {file}"


def test_a_metric_that_scores_nothing_leaves_the_others(results, tmp_path):
    (tmp_path / "s.csv").write_text("path,score\nelse.png,1\n")
    (table,) = read_score_tables(tmp_path / "s.csv")
    found = compare_all([MeanScorer(), table], [results])
    assert found.metrics == ("mean",)
    (missing,) = found.missing
    assert missing.reason.startswith(
        "s on set: no content could be scored for every method; 6 of 6 files failed, the first: "
    )
    assert len(found.failed) == 6
    with pytest.raises(SriqaError, match="s on set: no content could be scored"):
        compare_all([table], [results])


def test_a_data_set_without_ground_truth_is_told(results, tmp_path):
    paths = tuple(grays(tmp_path / "other" / method, 1, 2) for method in "ab")
    other = Results(("a", "b"), ("x", "y"), paths, (), (), data_set="other")
    off = MeanScorer("off", needs_reference=True)
    found = compare_all([MeanScorer(), off], [results, other])
    assert [(one.data_set, one.metric) for one in found.each] == [
        ("set", "mean"),
        ("set", "off"),
        ("other", "mean"),
    ]
    assert [one.reason for one in found.missing] == [
        "off on other: there is no ground truth; give its folder with --gt"
    ]


@pytest.mark.answers(
    "Work and memory",
    "frames of video, with `sriqa-compare --clips`",
    "the scores of a clip's frames are averaged; the clip is what is tested",
)
def test_clips_are_means_of_their_frames(tmp_path):
    frames = ("c/0", "c/1", "d/2", "d/3", "d/4")
    paths = (
        grays(tmp_path / "a", 10, 20, 30, 40, 50),
        grays(tmp_path / "b", 11, 21, 31, 41, 51),
    )
    Path(paths[1][4]).write_bytes(b"no image")
    results = Results(("a", "b"), frames, paths, (), (), clips=("c", "c", "d", "d", "d"))
    (found,) = compare_all([MeanScorer()], [results]).each
    assert found.contents == ("c", "d")
    assert found.scores.tolist() == [[15, 35], [16, 36]]
    assert (found.methods[0].n, found.pairs[0].n) == (2, 2)
    assert [failure.content for failure in found.failed] == ["d/4"]
    assert found.paths[0] == (paths[0][1], paths[0][3])


def test_names_may_be_given_as_on_the_command_line(tmp_path):
    pytest.importorskip("pyiqa")
    a, b = tmp_path / "a", tmp_path / "b"
    truth = tmp_path / "gt"
    for folder, levels in ((a, (10, 20)), (b, (14, 28)), (truth, (11, 22))):
        grays(folder, *levels)
    found = compare([a, f"ours={b}"], "psnr, psnry", gt=truth, cache=tmp_path / "c.sqlite")
    assert found.methods == ("a", "ours")
    assert found.metrics == ("psnr", "psnry")
    expected = [20 * np.log10(255), 20 * np.log10(255 / 2)]
    assert found.each[0].scores[0] == pytest.approx(expected, abs=0.01)


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
    (found,) = compare([tmp_path / method for method in METHODS], lite).each
    assert len(found.contents) == 12
    best_first = sorted(range(3), key=lambda row: -np.mean(found.scores[row]))
    assert [found.methods[row].rank for row in best_first] == [1, 2, 3]
    assert found.methods[0].rank == 3  # bicubic
    assert [pair.winner for pair in found.pairs[1:]] == [METHODS[2], METHODS[2]]
