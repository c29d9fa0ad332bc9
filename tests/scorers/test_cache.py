"""Scores on disk: nothing is scored twice, and a killed run goes on."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sriqa_metric.errors import SriqaError
from sriqa_metric.scorers.cache import default_cache, open_cache


def test_scores_stay(tmp_path):
    file = tmp_path / "new" / "folder" / "c.sqlite"
    with open_cache(file) as cache:
        cache.add("w", ("a", ""), 1 / 3)
        cache.add("w", ("a", ""), 2 / 3)
        cache.add("w", ("a", "truth"), -1)
        cache.add("v", ("b", ""), 5)
    with open_cache(file) as cache:
        assert cache.known("w") == {("a", ""): 2 / 3, ("a", "truth"): -1}
        assert cache.known("none") == {}


def test_an_older_file_is_taken_and_left_as_it_was(tmp_path):
    file = tmp_path / "c.sqlite"
    older = sqlite3.connect(file)
    older.execute("CREATE TABLE scores (weights TEXT, image TEXT, score REAL)")
    older.execute("INSERT INTO scores VALUES ('w', 'a', 1)")
    older.commit()
    with open_cache(file) as cache:
        assert cache.known("w") == {}
        cache.add("w", ("a", ""), 2)
        assert cache.known("w") == {("a", ""): 2}
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


KILLED = """
import sys, time
from pathlib import Path
from sriqa_metric.scorers.cache import open_cache
with open_cache(Path(sys.argv[1])) as cache:
    for k in range(1000):
        cache.add("w", (str(k), ""), k)
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
    assert known == {(str(k), ""): k for k in range(len(known))}
