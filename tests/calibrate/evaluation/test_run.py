"""Whole evaluations on made data and on the published votes."""

import csv
import io
import json
import math

import pytest

from sriqa_metric.calibrate.evaluation.data_sets import NAMES, read_data_set
from sriqa_metric.calibrate.evaluation.report import COLUMNS, FORMATS, Row, write_report
from sriqa_metric.calibrate.evaluation.run import Request, evaluate
from sriqa_metric.errors import SriqaError


def request(tmp_path, data_set, **settings) -> Request:
    given = {"metrics": ("mean",), "resamples": 50} | settings
    return Request(data_sets=(data_set,), cache=tmp_path / "c.sqlite", **given)


def test_mos(mean_scorer, mos_root, tmp_path):
    rows, notes = evaluate(request(tmp_path, f"mos={mos_root}"))
    assert notes == []
    assert [(row.data_set, row.group, row.figure) for row in rows] == [
        ("made", "all", figure) for figure in ("SRCC", "KRCC", "PLCC raw", "PLCC logistic")
    ]
    assert rows[0].value == pytest.approx(1)
    assert rows[2].value < rows[3].value
    assert all(row.metric == "mean" and row.weights == "mean 1" and row.n == 12 for row in rows)
    assert all(row.ci_low <= row.value <= row.ci_high + 1e-9 for row in rows)


def test_scores_are_kept_and_turned_so_that_higher_is_better(mean_scorer, mos_root, tmp_path):
    given = request(tmp_path, f"mos={mos_root}")
    first, _ = evaluate(given)
    assert evaluate(given)[0] == first
    assert len(mean_scorer.read) == 12
    mean_scorer.higher_is_better = False
    rows, _ = evaluate(given)
    assert rows[0].value == pytest.approx(-first[0].value)
    assert len(mean_scorer.read) == 12


def test_only_the_test_part_is_evaluated(tmp_path):
    lines = ["image_name,MOS,set", "1.jpg,3,training", "2.jpg,4,test", "3.jpg,5,test"]
    (tmp_path / "koniq10k_distributions_sets.csv").write_text("\n".join([*lines, ""]))
    found = read_data_set(f"koniq10k={tmp_path}")
    assert (found.name, found.group) == ("koniq10k", "test")
    assert [path.name for path in found.paths] == ["2.jpg", "3.jpg"]
    (tmp_path / "val_label.txt").write_text("A_1.bmp,1500\n")
    assert read_data_set(f"pipal={tmp_path}").group == "validation"


def test_published_votes_by_scores_alone(real_data, tmp_path):
    """No image is at hand: scores come from a file, which here knows the votes a little."""
    data_set = read_data_set(f"realsr1k={real_data / 'realsr1k'}")
    lines = ["path,score,metric"]
    for p, a, b in zip(data_set.fraction, data_set.first, data_set.second, strict=True):
        for metric, first in (("voter", p), ("contrary", 1 - p)):
            for index, score in ((a, first), (b, 1 - first)):
                path = data_set.paths[index].relative_to(data_set.root)
                lines.append(f"{path},{score},{metric}")
    (tmp_path / "scores.csv").write_text("\n".join([*lines, ""]))
    given = request(
        tmp_path,
        f"realsr1k={real_data / 'realsr1k'}",
        metrics=(),
        scores=tmp_path / "scores.csv",
        resamples=100,
    )
    rows, _ = evaluate(given)
    found = {(row.metric, row.group): row for row in rows if not row.versus}
    human = found["human majority", "all"]
    assert human.value == pytest.approx(0.75889, abs=5e-6)
    voter = found["voter", "all"].value  # knows each pair's majority, which every vote is part of
    assert voter == pytest.approx(0.77668, abs=5e-6)
    assert found["contrary", "mad"].value == pytest.approx(1 - found["voter", "mad"].value)
    assert found["better ranked method", "all"].value == pytest.approx(0.69578, abs=5e-6)
    assert found["chance", "mid"].value == 0.5
    assert 0.01 < human.ci_high - human.ci_low < 0.06
    (versus,) = (row for row in rows if row.versus and row.group == "all")
    assert (versus.metric, versus.versus) == ("voter", "contrary")
    assert versus.value == pytest.approx(2 * voter - 1)
    assert versus.p == pytest.approx(2 / 101)
    assert not given.cache.exists()


def test_constant_scores_are_undefined_and_told(mos_root, tmp_path):
    lines = ["path,score", *(f"{k}.png,1" for k in range(12)), ""]
    (tmp_path / "same.csv").write_text("\n".join(lines))
    given = request(tmp_path, f"mos={mos_root}", metrics=(), scores=tmp_path / "same.csv")
    rows, notes = evaluate(given)
    assert all(math.isnan(row.value) and math.isnan(row.ci_low) for row in rows)
    assert notes[0] == "same: SRCC on made (all) is undefined: all scores are equal"
    for style in FORMATS:
        write_report(rows, notes, style, stream := io.StringIO())
        assert "nan" not in stream.getvalue().lower()


def test_images_without_a_score_are_named(mean_scorer, mos_root, tmp_path):
    (mos_root / "7.png").write_bytes(b"no image")
    with pytest.raises(SriqaError, match=r"1 of 12 images .*7.png: no image"):
        evaluate(request(tmp_path, f"mos={mos_root}"))
    assert len(mean_scorer.read) == 12
    (mos_root / "8.png").unlink()
    with pytest.raises(SriqaError, match=r"made: missing 1 of 12 images: .*8.png"):
        evaluate(request(tmp_path, f"mos={mos_root}"))
    assert len(mean_scorer.read) == 12


def test_a_score_that_is_no_number_is_no_score(mean_scorer, mos_root, tmp_path):
    mean_scorer.score = lambda paths, references: iter([math.nan] * len(paths))
    with pytest.raises(SriqaError, match=r"12 of 12 images .*0.png: mean gives n"):
        evaluate(request(tmp_path, f"mos={mos_root}"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metrics": ()}, "no metric; give --metric NAME, or --scores FILE.csv"),
        ({"data_sets": ()}, "no data set; give --dataset NAME=ROOT"),
        ({"data_sets": ("live=/x",)}, "data set is 'live=/x'; expected NAME=ROOT, NAME of"),
        ({"data_sets": ("mos",)}, "data set is 'mos'; expected NAME=ROOT"),
        ({"contents": "x"}, "--contents chooses contents of a data set `ranked`; there is none"),
    ],
)  # fmt: skip
def test_requests_that_cannot_be(settings, message, mean_scorer, mos_root, tmp_path):
    given = {"metrics": ("mean",), "data_sets": (f"mos={mos_root}",)} | settings
    with pytest.raises(SriqaError, match=message):
        evaluate(Request(cache=tmp_path / "c.sqlite", **given))


def test_one_name_is_not_scored_twice(mean_scorer, mos_root, tmp_path):
    (tmp_path / "mean.csv").write_text("path,score\n0.png,1\n")
    given = request(tmp_path, f"mos={mos_root}", scores=tmp_path / "mean.csv")
    with pytest.raises(SriqaError, match=r"mean.csv: has scores of mean, which --metric names too"):
        evaluate(given)


def test_every_name_is_a_data_set():
    for name in NAMES:
        with pytest.raises(SriqaError, match="/none"):
            read_data_set(f"{name}=/none")


ROWS = [
    Row("a", "w|1", "set", "all", "SRCC", 0.5, 0.25, 0.75, 9),
    Row("b", "w2", "set", "all", "SRCC", 0.125, -math.inf, math.inf, 9),
    Row("a", "", "set", "all", "SRCC", 0.375, 0.1, 0.6, 9, "b", 0.04),
]


def written(style):
    write_report(ROWS, ["a note"], style, stream := io.StringIO())
    return stream.getvalue()


def test_programs_read_every_field():
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["value"] == "0.5"
    assert rows[1]["ci_low"] == ""
    assert (rows[2]["versus"], rows[2]["p"]) == ("b", "0.04")
    document = json.loads(written("json"))
    assert document["notes"] == ["a note"]
    assert document["rows"][1]["ci_high"] is None
    assert document["rows"][2]["value"] == 0.375


def test_people_read_figures_and_differences_apart():
    text = written("md")
    assert "| set | all | SRCC | a | 0.5000 | [0.2500, 0.7500] | 9 | w\\|1 |" in text
    assert "| set | all | SRCC | a − b | +0.3750 | [+0.1000, +0.6000] | 9 | 0.040 |" in text
    assert "[-inf, inf]" in text
    assert text.endswith("- a note\n")
    assert "a − b" in written("table")
