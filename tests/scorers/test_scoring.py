"""Many files through a metric and the cache."""

import math
from pathlib import Path

import pytest
from PIL import Image

from sriqa_metric.errors import SriqaError
from sriqa_metric.scorers import cache as cache_module
from sriqa_metric.scorers.cache import open_cache
from sriqa_metric.scorers.scoring import scores_of
from tests.scorers.made import MeanScorer


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """Twelve gray images, each brighter than the one before."""
    paths = [tmp_path / f"{k}.png" for k in range(12)]
    for k, path in enumerate(paths):
        Image.new("L", (8, 8), 10 * k).save(path)
    return paths


@pytest.fixture
def cache(tmp_path):
    with open_cache(tmp_path / "c.sqlite") as opened:
        yield opened


def names(scorer: MeanScorer) -> list[str]:
    return [path.name for path in scorer.read]


def test_a_second_run_reads_nothing(files, cache):
    scorer = MeanScorer()
    first = scores_of(scorer, files, cache=cache)
    assert first == [10.0 * k for k in range(12)]
    assert scores_of(scorer, files, cache=cache) == first
    assert len(scorer.read) == 12
    scorer.weights_id = "mean 2"
    scores_of(scorer, files, cache=cache)
    assert len(scorer.read) == 24


def test_another_way_of_reading_images_makes_new_scores(files, cache, monkeypatch):
    scorer = MeanScorer()
    scores_of(scorer, files, cache=cache)
    monkeypatch.setattr(cache_module, "READING_VERSION", cache_module.READING_VERSION + 1)
    scores_of(scorer, files, cache=cache)
    assert len(scorer.read) == 24


def test_a_changed_image_is_scored_again(files, cache):
    scorer = MeanScorer()
    scores_of(scorer, files, cache=cache)
    files[3].write_bytes(files[4].read_bytes())
    assert scores_of(scorer, files, cache=cache)[3] == 40
    assert len(scorer.read) == 12  # its bytes are known from another file
    with files[4].open("ab") as stream:
        stream.write(b"x")
    scores_of(scorer, files, cache=cache)
    assert names(scorer)[12:] == ["4.png"]


def test_a_stopped_run_goes_on(files, cache):
    scorer = MeanScorer(stop_after=5)
    with pytest.raises(KeyboardInterrupt):
        scores_of(scorer, files, cache=cache)
    scorer.stop_after = None
    scores_of(scorer, files, cache=cache)
    assert names(scorer) == [f"{k}.png" for k in range(12)]


def test_equal_files_are_scored_once_and_fail_by_their_own_names(files, cache):
    files[1].write_bytes(files[0].read_bytes())
    files[2].write_bytes(b"no image")
    files[3].write_bytes(b"no image")
    files[4].unlink()
    scorer = MeanScorer()
    found = scores_of(scorer, files[:6], cache=cache)
    assert found[:2] == [0, 0]
    assert [str(error) for error in found[2:4]] == [f"{p}: no image" for p in files[2:4]]
    assert str(found[4]) == f"{files[4]}: cannot be read: No such file or directory"
    assert sorted(names(scorer)) == ["0.png", "2.png", "3.png", "5.png"]


def test_a_score_that_is_no_number_is_none(files, cache):
    scorer = MeanScorer()
    scorer.score = lambda paths, references: iter([math.nan] * len(paths))
    (error, _) = scores_of(scorer, files[:2], cache=cache)
    assert isinstance(error, SriqaError)
    assert str(error) == f"{files[0]}: mean gives nan"


def test_ground_truth_is_part_of_what_is_known(files, cache):
    scorer = MeanScorer(needs_reference=True)
    assert scores_of(scorer, files[:2], [files[5]] * 2, cache) == [50, 40]
    assert scores_of(scorer, files[:2], [files[6], files[5]], cache) == [60, 40]
    assert names(scorer) == ["0.png", "1.png", "0.png"]


def test_what_must_not_be_kept_is_not(files, cache):
    scorer = MeanScorer()
    scorer.cached = False
    scores_of(scorer, [files[0], files[0]], cache=cache)
    assert len(scorer.read) == 2
    assert cache.known(scorer.weights_id) == {}


def test_ground_truth_means_nothing_to_a_metric_without(files, cache):
    scorer = MeanScorer()
    scores_of(scorer, files[:1], files[5:6], cache)
    scores_of(scorer, files[:1], cache=cache)
    assert len(scorer.read) == 1


def test_progress_counts_what_is_left_to_score(files, cache):
    told = []

    def track(items, what, total):
        told.append((what, total))
        return items

    scorer = MeanScorer()
    scores_of(scorer, files[:5], cache=cache, track=track)
    scores_of(scorer, files, cache=cache, track=track, what="all")
    assert told == [("mean", 5), ("all", 7)]
