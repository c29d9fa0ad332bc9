"""Scores made elsewhere, from CSV files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sriqa_metric.calibrate.evaluation.data_sets import DataSet, read_data_set
from sriqa_metric.errors import SriqaError
from sriqa_metric.scorers.tables import ScoreTable, read_score_tables


def scores_of(table: ScoreTable, data_set: DataSet) -> np.ndarray:
    same = data_set.same_name_same_image
    return table.scores_of(data_set.paths, data_set.root, data_set.name, same)


def test_scores_are_matched_by_path_or_unique_name(mos_root):
    data_set = read_data_set(f"mos={mos_root}")
    lines = [f"./{k}.png,{k}" for k in range(6)] + [f"{k}.png,{k}" for k in range(6, 11)]
    file = mos_root / "other.csv"
    file.write_text("\n".join(["path,score", *lines, f"{mos_root}/11.png,11", ""]))
    (table,) = read_score_tables(file)
    assert table.name == "other"
    assert table.weights_id[12:] == hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    assert scores_of(table, data_set).tolist() == list(range(12))


def test_names_that_are_not_unique_need_their_folder(tmp_path):
    (tmp_path / "labels.csv").write_text("path,mos\na/1.png,1\nb/1.png,2\nc/2.png,3\n")
    data_set = read_data_set(f"mos={tmp_path}")
    (tmp_path / "s.csv").write_text("path,score\n1.png,1\n2.png,5\nb/1.png,4\n")
    (table,) = read_score_tables(tmp_path / "s.csv")
    with pytest.raises(SriqaError, match=r"s: no score of 1 of 3 images of \S+: a/1.png$"):
        scores_of(table, data_set)


def test_realsr1ks_names_say_which_image_it_is(real_data, tmp_path):
    data_set = read_data_set(f"realsr1k={real_data / 'realsr1k'}")
    names = sorted({path.name for path in data_set.paths})
    assert len(names) < len(data_set.paths)
    lines = [f"{name},{k}" for k, name in enumerate(names)]
    (tmp_path / "s.csv").write_text("\n".join(["path,score", *lines, ""]))
    scores = scores_of(read_score_tables(tmp_path / "s.csv")[0], data_set)
    assert scores.tolist() == [names.index(path.name) for path in data_set.paths]


def test_one_file_may_hold_several_metrics(tmp_path):
    (tmp_path / "s.csv").write_text("path,score,metric\na,1,x\na,2,y\nb,3,x\n")
    tables = read_score_tables(tmp_path / "s.csv")
    assert {table.name: table.scores for table in tables} == {
        "x": {"a": 1, "b": 3},
        "y": {"a": 2},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\na\n", "no column score; expected path,score"),
        ("path,score\n", "no scores, only a header"),
        ("path,score\na,nan\n", "line 2: score is 'nan', not a number"),
        ("path,score\na,1\n./a,2\n", "line 3: 'a' is scored twice"),
        (
            "path,score,higher_is_better\na,1,up\n",
            "line 2: higher_is_better is 'up', expected true or false",
        ),
        (
            "path,score,metric,higher_is_better\na,1,m,\nb,1,m,false\n",
            "line 3: higher_is_better is 'false', but was another for m before",
        ),
        (None, "No such file or directory; expected a CSV file path,score"),
    ],
)
def test_broken_files_of_scores(tmp_path, text, message):
    if text is not None:
        (tmp_path / "s.csv").write_text(text)
    with pytest.raises(SriqaError, match=message):
        read_score_tables(tmp_path / "s.csv")


def test_missing_scores_are_counted(mos_root):
    data_set = read_data_set(f"mos={mos_root}")
    (mos_root / "s.csv").write_text("path,score\n3.png,1\n")
    message = "no score of 11 of 12 images of made: 0.png, 1.png, 2.png, 4.png, 5.png and 6 more"
    with pytest.raises(SriqaError, match=message):
        scores_of(read_score_tables(mos_root / "s.csv")[0], data_set)
    assert np.array_equal(data_set.images.mos, np.arange(12.0) ** 2)


@pytest.mark.answers(
    "Names and lists",
    "scores in CSV of which less is better",
    "a column `higher_is_better` says false; without it more is better",
)
def test_the_file_says_which_way_its_metric_goes(tmp_path):
    (tmp_path / "s.csv").write_text(
        "path,score,metric,higher_is_better\na,1,x,False\na,1,y,1\na,1,z,\n"
    )
    tables = read_score_tables(tmp_path / "s.csv")
    assert {table.name: table.higher_is_better for table in tables} == {
        "x": False,
        "y": True,
        "z": True,
    }


def test_images_of_several_methods_are_told_apart_by_the_ends_of_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "path,score\nours/1.png,1\nout/theirs/1.png,2\n2.png,3\n1.png,9\n"
    (tmp_path / "s.csv").write_text(text)
    (table,) = read_score_tables(Path("s.csv"))
    paths = [Path("out/ours/1.png"), Path("out/theirs/1.png"), tmp_path / "ours" / "2.png"]
    *found, error = table.score([*paths, Path("out/theirs/3.png")])
    assert found == [1, 2, 3]
    assert str(error) == "out/theirs/3.png: has no score of s in s.csv"
