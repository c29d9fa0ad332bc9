import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from sriqa_metric.calibrate.data.sr_results import read_ranking
from sriqa_metric.calibrate.ranking.output import plot_ranking, write_report
from sriqa_metric.calibrate.ranking.report import rank_votes
from sriqa_metric.errors import SriqaError


def text_of(report, style):
    stream = io.StringIO()
    write_report(report, style, stream)
    return stream.getvalue()


def test_json(made):
    report = rank_votes(made(), bootstrap=50)
    found = json.loads(text_of(report, "json"))
    assert [method["rank"] for method in found["methods"]] == [1, 2, 3, 4]
    assert found["methods"][0]["name"] == "best"
    assert found["methods"][3]["name"] == "worst"
    mus = [method["mu"] for method in found["methods"]]
    assert mus == sorted(mus, reverse=True)
    assert sum(mus) == pytest.approx(0)
    for method in found["methods"]:
        assert method["ci_low"] < method["mu"] < method["ci_high"]
        assert method["asymptotic_low"] < method["mu"] < method["asymptotic_high"]
    assert found["n_votes"] == 6 * 12 * 6
    assert found["n_pairs"] == 12 * 6
    assert found["converged"] is True
    assert found["log_likelihood"] < 0
    assert 0.5 < found["oracle_2afc"] < 1
    assert list(found["top_k_srcc"]) == [str(k) for k in range(1, 13)]
    assert found["top_k_srcc"]["12"] == pytest.approx(1)
    assert set(found["groups"]) == {"mad", "mid"}
    assert found["groups"]["mad"]["n_pairs"] == 36
    assert found["groups"]["mad"]["methods"][0]["name"] == "best"
    assert found["intervals"] == {
        "method": "bootstrap",
        "over": "observers",
        "clusters": 6,
        "resamples": 50,
        "without_ranking": 0,
    }
    assert np.shape(found["win_probability"]) == (4, 4)
    assert found["win_probability"][0][3] == pytest.approx(ndtr(mus[0] - mus[3]), abs=1e-5)
    assert len(found["observers"]) == 6
    assert [[pair["above"], pair["below"]] for pair in found["not_separable"]] == [
        [found["methods"][1]["name"], found["methods"][2]["name"]]
    ]


def test_csv_is_what_training_reads(made, tmp_path):
    report = rank_votes(made(), bootstrap=20)
    path = tmp_path / "ranking.csv"
    path.write_text(text_of(report, "csv"))
    assert path.read_text().startswith("method,mu,ci_low,ci_high,rank\n")
    assert read_ranking(path) == dict(zip(report.methods, report.mu.tolist(), strict=True))


def test_table(made):
    found = text_of(rank_votes(made(), bootstrap=50), "table")
    assert "[good]" in found  # names are no markup
    assert "≈ not separable from the next at 95 %" in found
    assert "432 votes on 72 image pairs; intervals: bootstrap over 6 observers" in found
    assert "group mad: 216 votes on 36 image pairs" in found
    assert "to look at" not in found


def test_plot(made, tmp_path):
    pytest.importorskip("matplotlib")
    report = rank_votes(made(), 20)
    report.ci_low[0] = -np.inf  # drawn to the edge
    plot_ranking(report, tmp_path / "ranking.png")
    assert (tmp_path / "ranking.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SriqaError, match=r"none/ranking\.png: cannot be written"):
        plot_ranking(report, tmp_path / "none" / "ranking.png")
    with pytest.raises(SriqaError, match="cannot write the plot"):
        plot_ranking(report, tmp_path / "ranking.docx")


NASTY = ("=1+1", "e\x1b[31m\n", r"a$\frac$b_{", "-x")


@pytest.fixture
def nasty(made):
    """A report on methods of names that a terminal, a spreadsheet or matplotlib would obey."""
    return replace(rank_votes(made(), 20), methods=NASTY)


@pytest.mark.answers(
    "Names and lists",
    "control characters in a method's name, in the table of `rank`",
    r"shown as `\x1b`, `\n`",
)
def test_the_table_shows_names_and_obeys_none(nasty):
    text = text_of(nasty, "table")
    assert r"e\x1b[31m\n" in text
    assert "\x1b" not in text


@pytest.mark.answers(
    "Names and lists", "odd names of methods, in `rank --format csv`", "read back by `train`"
)
def test_odd_names_in_csv_are_read_back(nasty, tmp_path):
    path = tmp_path / "ranking.csv"
    path.write_text(text_of(nasty, "csv"), newline="")
    assert path.read_text().splitlines()[1].startswith("'=1+1,")
    assert tuple(read_ranking(path)) == NASTY
    assert [each["name"] for each in json.loads(text_of(nasty, "json"))["methods"]] == list(NASTY)


@pytest.mark.answers(
    "Names and lists", "dollar signs in a method's name, in the picture of `rank --plot`", "drawn"
)
def test_names_are_no_formulas_in_a_plot(nasty, tmp_path):
    pytest.importorskip("matplotlib")
    plot_ranking(nasty, tmp_path / "ranking.svg")
    assert (tmp_path / "ranking.svg").stat().st_size


def test_plot_without_matplotlib(made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SriqaError, match=r"pip install 'sriqa-metric\[plot\]'"):
        plot_ranking(rank_votes(made(), 0), tmp_path / "ranking.png")


def test_json_of_unbounded_ends_and_absent_groups(made):
    report = replace(rank_votes(made(observers=1), 0), groups={})
    report.ci_low[0], report.ci_high[0] = -np.inf, np.inf
    found = json.loads(text_of(report, "json"))
    assert found["methods"][0]["ci_low"] is None
    assert found["methods"][0]["ci_high"] is None
    assert found["groups"] == {"mad": {}, "mid": {}}


def test_observers_to_look_at_are_in_the_table(made):
    failed = ["o3", "c0", "best", "HR", "a", "mad", "obvious", "b"]
    assert "to look at" in text_of(rank_votes(made(failed), 0), "table")


def test_other_formats_are_refused(made):
    with pytest.raises(SriqaError, match="format is 'xml'; it must be one of table, json, csv"):
        write_report(rank_votes(made(), 0), "xml", io.StringIO())
