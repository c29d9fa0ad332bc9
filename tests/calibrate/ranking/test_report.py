import csv
import io
import json
import sys

import numpy as np
import pytest
from scipy.special import ndtr

from sriqa_metric.calibrate.data.sr_results import read_ranking
from sriqa_metric.calibrate.data.votes import read_votes
from sriqa_metric.calibrate.ranking.report import rank_votes, write_report
from sriqa_metric.calibrate.ranking.thurstone import DisconnectedError
from sriqa_metric.errors import SriqaError

HEADER = "observer,content,method_a,method_b,choice,group,kind,expected"
MU = {"best": 0.8, "[good]": 0.2, "good, too": 0.15, "worst": -1.15}


@pytest.fixture
def made(tmp_path, rng):
    """Votes of six observers on twelve contents; the rows can be added to."""

    def make(*more, observers=6, contents=12, mu=MU):
        path = tmp_path / "votes.csv"
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(HEADER.split(","))
            names = list(mu)
            for observer in range(observers):
                for content in range(contents):
                    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
                        a, b = names[i], names[j]
                        choice = "a" if rng.random() < ndtr(mu[a] - mu[b]) else "b"
                        group = "mad" if content % 2 else "mid"
                        writer.writerow(
                            [f"o{observer}", f"c{content}", a, b, choice, group, "trial", ""]
                        )
            writer.writerows(more)
        return read_votes(path)

    return make


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


def test_the_same_votes_give_the_same_report(made):
    votes = made()
    assert rank_votes(votes, 20).to_dict() == rank_votes(votes, 20).to_dict()
    other = rank_votes(votes, 20, seed=1).to_dict()
    assert other["methods"] != rank_votes(votes, 20).to_dict()["methods"]


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


def test_observers_to_look_at_are_in_the_table_and_in_a_note(made):
    failed = ["o3", "c0", "best", "HR", "a", "mad", "obvious", "b"]
    report = rank_votes(made(failed), bootstrap=0)
    assert "to look at" in text_of(report, "table")
    assert "HR" not in report.methods
    assert any("1 of 6 observers deserve a look" in note and "o3" in note for note in report.notes)
    assert any("do not count in the ranking: 1 obvious" in note for note in report.notes)
    assert report.n_votes == 432


def test_one_observer_is_resampled_over_contents_and_one_content_not_at_all(made):
    votes = made(observers=1)
    assert rank_votes(votes, 10, prior_variance=1).intervals.over == "contents"
    report = rank_votes(made(observers=1, contents=1), 10, prior_variance=1)
    assert report.intervals.method == "asymptotic"
    assert any("cannot be resampled" in note for note in report.notes)


def test_asymptotic_intervals_say_what_they_assume(made):
    report = rank_votes(made(), bootstrap=0)
    assert report.ci_low == pytest.approx(report.mu - 1.96 * report.standard_error, abs=1e-4)
    assert any("independent" in note for note in report.notes)
    assert "intervals: asymptotic" in text_of(report, "table")


def test_intervals_without_bounds_are_null(made):
    mu = {"A": 3.0, "B": 0.0}
    votes = made(*(["x", "c0", a, b, "a", "", "", ""] for a, b in ("AB", "BA")), mu=mu, contents=3)
    report = rank_votes(votes, 200)
    assert report.intervals.without_ranking > 5
    found = json.loads(text_of(report, "json"))
    assert found["methods"][0]["ci_low"] is None
    assert found["methods"][0]["ci_high"] is None
    assert len(found["not_separable"]) == 1
    assert any("of 200 resamples give no ranking" in note for note in report.notes)
    assert np.isfinite(rank_votes(votes, 50, prior_variance=4).ci_low).all()


def test_absent_and_failing_groups(made):
    votes = made(["o1", "c0", "best", "worst", "a", "other", "", ""])
    found = rank_votes(votes, 0).to_dict()["groups"]
    assert "won every vote" in found["other"]["error"]
    assert found["other"]["methods"] == []
    assert found["other"]["n_pairs"] == 1
    one = votes.select(votes.group == votes.groups.index("mad"))
    assert rank_votes(one, 0).to_dict()["groups"]["mid"] == {}


def test_no_ranking_is_an_error(made):
    votes = made(["o1", "c0", "new", "newer", "a", "", "", ""])
    with pytest.raises(DisconnectedError, match="new, newer"):
        rank_votes(votes, 0)
    assert len(rank_votes(votes, 0, prior_variance=1).methods) == 6


def test_wrong_settings(made):
    votes = made()
    with pytest.raises(SriqaError, match="the number of resamples is -1"):
        rank_votes(votes, -1)
    with pytest.raises(SriqaError, match="format is 'xml'; it must be one of table, json, csv"):
        write_report(rank_votes(votes, 0), "xml", io.StringIO())


def test_published_votes(real_data):
    votes = read_votes(real_data / "realsr1k" / "votes.csv")
    report = rank_votes(votes, bootstrap=0)
    assert report.n_votes == 24288
    assert report.n_pairs == 1056
    found = report.to_dict()
    assert found["oracle_2afc"] == pytest.approx(0.7767, abs=5e-5)
    assert found["groups"]["mad"]["n_pairs"] == found["groups"]["mid"]["n_pairs"] == 528
    assert found["observers"] == []
    resampled = rank_votes(votes, bootstrap=200)
    assert (resampled.intervals.over, resampled.intervals.without_ranking) == ("contents", 0)
    # Votes on one content go together, which the asymptotic intervals do not see.
    assert (resampled.ci_high - resampled.ci_low > report.ci_high - report.ci_low).all()


def test_plot(made, tmp_path):
    pytest.importorskip("matplotlib")
    from sriqa_metric.calibrate.ranking.plot import plot_ranking

    report = rank_votes(made(), 20)
    report.ci_low[0] = -np.inf  # drawn to the edge
    plot_ranking(report, tmp_path / "ranking.png")
    assert (tmp_path / "ranking.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SriqaError, match="cannot write the plot"):
        plot_ranking(report, tmp_path / "none" / "ranking.png")
    with pytest.raises(SriqaError, match="cannot write the plot"):
        plot_ranking(report, tmp_path / "ranking.docx")


def test_plot_without_matplotlib(made, tmp_path, monkeypatch):
    from sriqa_metric.calibrate.ranking.plot import plot_ranking

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SriqaError, match=r"pip install 'sriqa-metric\[plot\]'"):
        plot_ranking(rank_votes(made(), 0), tmp_path / "ranking.png")
