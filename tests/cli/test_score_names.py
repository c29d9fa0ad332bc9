"""`sriqa-score`: names of files, whatever they hold."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import COFFEE, paths_of, run

ODD = "a\x1b[31m\n\a\r.png"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX names")
def test_no_name_is_obeyed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (ODD, "=1+1.png", "-x.png"):
        shutil.copy(COFFEE, name)
    (tmp_path / f"b{ODD}").write_bytes(b"no image")
    names = [ODD, f"b{ODD}", "=1+1.png", "-x.png"]
    found = run("--", *names)
    assert found.exit_code == 1
    assert r"a\x1b[31m\n\x07\r.png" in found.stdout
    assert r"sriqa-score: ba\x1b[31m\n\x07\r.png: " in found.stderr
    assert len(found.stderr.splitlines()) == 2
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", found.stdout + found.stderr)
    text = run("--format", "csv", "--", *names).stdout
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [row["path"] for row in rows] == [*names[:2], "'=1+1.png", "'-x.png"]
    for form in ("json", "jsonl"):
        text = run("--format", form, "--", *names).stdout
        assert len(text.splitlines()) == (4 if form == "jsonl" else len(text.split("\n")) - 1)
        assert json.dumps(ODD) in text


@pytest.mark.answers(
    "Names and lists", "scores in CSV, given to `sriqa-calibrate evaluate --scores`", "read back"
)
def test_scores_in_csv_are_read_back(tmp_path, monkeypatch):
    from sriqa_metric.scorers.tables import read_score_tables

    monkeypatch.chdir(tmp_path)
    names = ["=1+1.png", "-x.png", 'é,".png']
    for name in names:
        shutil.copy(COFFEE, name)
    assert run("--format", "csv", "-o", "scores.csv", "--", *names).exit_code == 0
    (table,) = read_score_tables(Path("scores.csv"))
    assert (table.name, list(table.scores)) == ("sriqa_lite", names)


@pytest.mark.answers(
    "Names and lists",
    "names with blanks, quotes, brackets, any script",
    "written whole in every format",
)
@pytest.mark.parametrize("name", ["with space.png", "quo'te\".png", "ünï-写真.png", "[b]x.png"])
@pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl"])
def test_odd_names_are_written_whole(name, form, tmp_path):
    path = tmp_path / name
    shutil.copy(COFFEE, path)
    found = run("--format", form, str(path))
    assert found.exit_code == 0
    path_of = {
        "table": lambda text: text,
        "csv": lambda text: next(csv.DictReader(io.StringIO(text)))["path"],
        "json": lambda text: json.loads(text)["results"][0]["path"],
        "jsonl": lambda text: json.loads(text)["path"],
    }
    assert name in path_of[form](found.stdout)


@pytest.mark.answers(
    "Names and lists",
    "a file name with bytes that are no text",
    r"scored; the bytes themselves in CSV, `\udcff` in JSON, `\xff` in tables",
)
@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_a_name_that_is_no_text_is_exact_for_programs_and_shown_to_people(form, tmp_path):
    shutil.copy(COFFEE, os.fsencode(tmp_path) + b"/\xff.png")
    words = [sys.executable, "-m", "sriqa_metric", "--format", form, str(tmp_path)]
    found = subprocess.run(words, capture_output=True, check=True)
    shown = {"table": rb"\xff.png", "csv": b"\xff.png", "jsonl": rb"\udcff.png"}
    assert shown[form] in found.stdout


@pytest.mark.answers(
    "Names and lists", "a file whose name begins with a dash", "is scored after `--`"
)
def test_a_leading_dash_is_a_name_after_two_dashes(tmp_path, monkeypatch):
    shutil.copy(COFFEE, tmp_path / "-x.png")
    monkeypatch.chdir(tmp_path)
    assert paths_of(run("--format", "json", "--", "-x.png")) == ["-x.png"]
