"""Scores on disk: nothing is scored twice, and a killed run goes on."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sriqa_metric.calibrate.data.fingerprints import image_digest
from sriqa_metric.calibrate.evaluation import score_cache
from sriqa_metric.calibrate.evaluation.run import Request, evaluate
from sriqa_metric.calibrate.evaluation.score_cache import default_cache, open_cache
from sriqa_metric.errors import SriqaError


def test_scores_stay(tmp_path):
    file = tmp_path / "new" / "folder" / "c.sqlite"
    with open_cache(file) as cache:
        cache.add("w", "a", 1 / 3)
        cache.add("w", "a", 2 / 3)
        cache.add("v", "b", 5)
    with open_cache(file) as cache:
        assert cache.known("w") == {"a": 2 / 3}
        assert cache.known("none") == {}


def test_an_older_file_is_taken_and_left_as_it_was(tmp_path):
    file = tmp_path / "c.sqlite"
    older = sqlite3.connect(file)
    older.execute("CREATE TABLE scores (weights TEXT, image TEXT, score REAL)")
    older.execute("INSERT INTO scores VALUES ('w', 'a', 1)")
    older.commit()
    with open_cache(file) as cache:
        assert cache.known("w") == {}
        cache.add("w", "a", 2)
        assert cache.known("w") == {"a": 2}
    assert older.execute("SELECT * FROM scores").fetchall() == [("w", "a", 1)]
    older.close()


def test_the_default_is_in_the_users_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache() == Path("/somewhere/sriqa-metric/scores.sqlite")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_cache() == Path("/home/me/.cache/sriqa-metric/scores.sqlite")


def test_what_is_no_cache(tmp_path):
    (tmp_path / "text").write_text("scores, but in words, and many of them" * 100)
    (tmp_path / "file").touch()
    for path, message in (
        (tmp_path / "text", "not a usable cache: file is not a database; give another --cache"),
        (tmp_path / "file" / "c.sqlite", "cannot keep scores here"),
        (tmp_path, "cannot keep scores here"),
    ):
        with pytest.raises(SriqaError, match=message), open_cache(path):
            pass


def test_missing_images_have_no_digest(tmp_path):
    with pytest.raises(SriqaError, match=r"none.png: cannot be read: No such file"):
        image_digest(tmp_path / "none.png")


def request(mos_root, **settings) -> Request:
    given = {"metrics": ("mean",), "resamples": 5} | settings
    return Request(data_sets=(f"mos={mos_root}",), cache=mos_root / "c.sqlite", **given)


def test_a_second_run_reads_nothing(mean_scorer, mos_root):
    first = evaluate(request(mos_root))
    assert len(mean_scorer.read) == 12
    assert evaluate(request(mos_root)) == first
    assert len(mean_scorer.read) == 12
    mean_scorer.weights_id = "mean 2"
    evaluate(request(mos_root))
    assert len(mean_scorer.read) == 24


def test_another_way_of_reading_images_makes_new_scores(mean_scorer, mos_root, monkeypatch):
    evaluate(request(mos_root))
    monkeypatch.setattr(score_cache, "READING_VERSION", score_cache.READING_VERSION + 1)
    evaluate(request(mos_root))
    assert len(mean_scorer.read) == 24


def test_a_changed_image_is_scored_again(mean_scorer, mos_root):
    evaluate(request(mos_root))
    (mos_root / "3.png").write_bytes((mos_root / "4.png").read_bytes())
    evaluate(request(mos_root))
    assert len(mean_scorer.read) == 12  # its bytes are known from another file
    with (mos_root / "4.png").open("ab") as stream:
        stream.write(b"x")
    evaluate(request(mos_root))
    assert [path.name for path in mean_scorer.read[12:]] == ["4.png"]


def test_a_stopped_run_goes_on(mean_scorer, mos_root):
    mean_scorer.stop_after = 5
    with pytest.raises(KeyboardInterrupt):
        evaluate(request(mos_root))
    mean_scorer.stop_after = None
    evaluate(request(mos_root))
    assert [path.name for path in mean_scorer.read] == [f"{k}.png" for k in range(12)]


KILLED = """
import sys, time
from pathlib import Path
from sriqa_metric.calibrate.evaluation.score_cache import open_cache
with open_cache(Path(sys.argv[1])) as cache:
    for k in range(1000):
        cache.add("w", str(k), k)
        if k == 20:
            print("there", flush=True)
        if k >= 20:
            time.sleep(0.05)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_scores_outlive_a_kill(tmp_path):
    file = tmp_path / "c.sqlite"
    run = subprocess.Popen([sys.executable, "-c", KILLED, file], stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"there\n"
    time.sleep(0.1)
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    with open_cache(file) as cache:
        known = cache.known("w")
    assert len(known) >= 21
    assert known == {str(k): k for k in range(len(known))}
