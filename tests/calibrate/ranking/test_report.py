import numpy as np
import pytest

from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.ranking.output import report_values
from sriqa_metric.calibrate.ranking.report import rank_votes
from sriqa_metric.calibrate.ranking.thurstone import DisconnectedError
from sriqa_metric.errors import SriqaError


def test_the_same_votes_give_the_same_report(made):
    votes = made()
    values, again = (report_values(rank_votes(votes, 20)) for _ in range(2))
    assert values == again
    assert report_values(rank_votes(votes, 20, seed=1))["methods"] != values["methods"]


def test_observers_to_look_at_are_in_the_table_and_in_a_note(made):
    failed = ["o3", "c0", "best", "HR", "a", "mad", "obvious", "b"]
    report = rank_votes(made(failed), bootstrap=0)
    assert "HR" not in report.methods
    assert any("due at 1 of 6 observers" in note and "o3" in note for note in report.notes)
    assert any("do not count in the ranking: 1 obvious" in note for note in report.notes)
    assert report.n_votes == 432


@pytest.mark.answers(
    "Study and votes",
    "votes of one observer",
    "intervals over contents; with one content too, asymptotic, and a note",
)
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
    assert report.intervals.method == "asymptotic"


@pytest.mark.answers(
    "Study and votes",
    "resamples without a ranking",
    "they widen the intervals, to infinity if many; a note says how many",
)
def test_intervals_without_bounds_are_null(made):
    mu = {"A": 3.0, "B": 0.0}
    votes = made(*(["x", "c0", a, b, "a", "", "", ""] for a, b in ("AB", "BA")), mu=mu, contents=3)
    report = rank_votes(votes, 200)
    assert report.intervals.without_ranking > 5
    assert (report.ci_low[0], report.ci_high[0]) == (-np.inf, np.inf)
    assert any("of 200 resamples, where" in note for note in report.notes)
    assert np.isfinite(rank_votes(votes, 50, prior_variance=4).ci_low).all()


def test_absent_and_failing_groups(made):
    votes = made(["o1", "c0", "best", "worst", "a", "other", "", ""])
    found = rank_votes(votes, 0).groups
    assert "won every vote" in found["other"]["error"]
    assert found["other"]["methods"] == []
    assert found["other"]["n_pairs"] == 1
    one = votes.select(votes.group == votes.groups.index("mad"))
    assert list(rank_votes(one, 0).groups) == ["mad"]


def test_no_ranking_is_an_error(made):
    votes = made(["o1", "c0", "new", "newer", "a", "", "", ""])
    with pytest.raises(DisconnectedError, match="new, newer"):
        rank_votes(votes, 0)
    assert len(rank_votes(votes, 0, prior_variance=1).methods) == 6


def test_wrong_settings(made):
    votes = made()
    with pytest.raises(SriqaError, match="the number of resamples is -1"):
        rank_votes(votes, -1)


def test_published_votes(real_data):
    votes = read_votes(real_data / "realsr1k" / "votes.csv")
    report = rank_votes(votes, bootstrap=0)
    assert report.n_votes == 24288
    assert report.n_pairs == 1056
    assert report.oracle_2afc == pytest.approx(0.7589, abs=5e-5)
    assert report.groups["mad"]["n_pairs"] == report.groups["mid"]["n_pairs"] == 528
    assert report.observers == []
    resampled = rank_votes(votes, bootstrap=200)
    assert (resampled.intervals.over, resampled.intervals.without_ranking) == ("contents", 0)
    # Votes on one content go together, which the asymptotic intervals do not see.
    assert (resampled.ci_high - resampled.ci_low > report.ci_high - report.ci_low).all()
