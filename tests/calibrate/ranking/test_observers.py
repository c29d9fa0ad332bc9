import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr
from typer.testing import CliRunner

from sriqa_metric.calibrate.cli import app
from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.ranking.observers import observer_reports, without
from sriqa_metric.calibrate.ranking.thurstone import clustered_counts, thurstone_counts
from sriqa_metric.errors import SriqaError

HEADER = "observer,content,method_a,method_b,choice,kind,expected"
METHODS = "ABCD"
MU = np.array([0.9, 0.3, -0.3, -0.9])


def panel(rng, contents=20, observers=("o1", "o2", "o3", "o4", "o5")):
    """Rows of observers who vote on every pair of every content as the model says."""
    for name in observers:
        for content in range(contents):
            for i, j in zip(*np.triu_indices(4, 1), strict=True):
                choice = "a" if rng.random() < ndtr(MU[i] - MU[j]) else "b"
                yield [name, f"c{content}", METHODS[i], METHODS[j], choice, "trial", ""]


@pytest.fixture
def reports(tmp_path):
    def make(rows, prior_variance=None):
        path = tmp_path / "votes.csv"
        path.write_text("\n".join([HEADER, *map(",".join, rows), ""]))
        votes = read_votes(path)
        trials = votes.of_kind("trial")
        mu = thurstone_counts(counts_of(trials), votes.methods, prior_variance).mu
        return {report.name: report for report in observer_reports(votes, mu, prior_variance)}

    return make


def counts_of(votes):
    n = len(votes.methods)
    cells = clustered_counts(votes.first, votes.second, votes.wins, votes.total, n)
    return cells.toarray().reshape(n, n)


def test_honest_observers_are_left_in_peace(reports, rng):
    found = reports(panel(rng))
    assert list(found) == ["o1", "o2", "o3", "o4", "o5"]
    for report in found.values():
        assert report.n_votes == 120
        assert abs(report.z) < 3
        assert not report.flagged


@pytest.mark.answers(
    "Study and votes",
    "an observer who guesses, or answers the other way round",
    "marked `disagrees`; counted until excluded",
)
def test_guessing_and_turned_round_observers_disagree(reports, rng):
    rows = list(panel(rng))
    for row in panel(rng, observers=("guesses",)):
        rows.append([*row[:4], "ab"[rng.integers(2)], *row[5:]])
    for row in panel(rng, observers=("turned",)):
        rows.append([*row[:4], {"a": "b", "b": "a"}[row[4]], *row[5:]])
    found = reports(rows)
    assert {name for name, report in found.items() if report.disagrees} == {"guesses", "turned"}
    assert found["turned"].z < found["guesses"].z < -3
    assert found["turned"].log_likelihood < found["guesses"].log_likelihood < -np.log(2)


def test_likelihood_is_under_the_ranking_of_the_others(reports, rng, tmp_path):
    found = reports(panel(rng))
    votes = read_votes(tmp_path / "votes.csv")
    own, others = votes.observer == 2, votes.observer != 2
    mu = thurstone_counts(counts_of(votes.select(others))).mu
    difference = mu[votes.first[own]] - mu[votes.second[own]]
    signs = 2 * votes.wins[own] - 1
    assert found["o3"].log_likelihood == pytest.approx(log_ndtr(signs * difference).mean())
    p = ndtr(difference)
    log_p, log_q = log_ndtr(difference), log_ndtr(-difference)
    mean = (p * log_p + (1 - p) * log_q).sum()
    deviation = np.sqrt((p * (1 - p) * (log_p - log_q) ** 2).sum())
    z = (log_ndtr(signs * difference).sum() - mean) / deviation
    assert found["o3"].z == pytest.approx(z)


@pytest.mark.answers(
    "Study and votes",
    "failed attention checks",
    "counted per observer and shown; the trials count all the same",
)
def test_failed_attention_checks_are_counted(reports, rng):
    checks = [
        ["o1", "c0", "A", "A~degraded", "a", "obvious", "a"],
        ["o1", "c1", "A", "A~degraded", "b", "obvious", "a"],
        ["o1", "c2", "A", "A~degraded", "tie", "obvious", "a"],
        ["o2", "c2", "D~degraded", "D", "b", "obvious", "b"],
        ["o2", "c3", "D~degraded", "D", "a", "training", ""],
    ]
    found = reports([*panel(rng), *checks])
    assert (found["o1"].n_obvious, found["o1"].n_failed) == (3, 2)
    assert found["o1"].flagged
    assert (found["o2"].n_obvious, found["o2"].n_failed) == (1, 0)
    assert (found["o2"].n_training, found["o2"].n_votes) == (1, 120)
    assert not found["o2"].flagged


def test_repeats_are_compared_with_the_first_trial_whatever_the_sides(reports, rng):
    rows = [row for row in panel(rng) if row[:4] not in (["o1", "c0", "A", "B"],)]
    rows += [
        ["o1", "c0", "A", "B", "a", "trial", ""],
        ["o1", "c0", "B", "A", "b", "repeat", ""],  # the same answer
        ["o1", "c0", "B", "A", "a", "repeat", ""],
        ["o1", "c0", "A", "B", "tie", "repeat", ""],
        ["o1", "c99", "A", "B", "a", "repeat", ""],  # never asked before
        ["o2", "c98", "A", "B", "a", "repeat", ""],
    ]
    found = reports(rows)
    report = found["o1"]
    assert (report.n_repeats, report.n_inconsistent, report.n_unmatched) == (4, 2, 1)
    assert report.n_votes == 120
    assert report.flagged
    assert (found["o2"].n_unmatched, found["o2"].n_inconsistent) == (1, 0)


def test_questions_asked_twice_without_a_mark_are_counted(reports, rng):
    found = reports([*panel(rng), ["o4", "c3", "C", "B", "a", "trial", ""]])
    assert found["o4"].n_duplicates == 1
    assert found["o4"].n_votes == 121
    assert not found["o4"].flagged
    assert found["o5"].n_duplicates == 0


def test_ties_count_half_each_way(reports, rng):
    ties = [[*row[:4], "tie", *row[5:]] for row in panel(rng, observers=("unsure",))]
    report = reports([*panel(rng), *ties])["unsure"]
    assert report.log_likelihood < -np.log(2)
    assert report.disagrees


def test_an_observer_without_whom_there_is_no_ranking(reports, rng):
    rows = [row for row in panel(rng) if "D" not in row[2:4] or row[0] == "o1"]
    found = reports(rows)
    assert found["o1"].log_likelihood is None
    assert found["o1"].z is None
    assert not found["o1"].disagrees
    assert found["o2"].log_likelihood is not None
    assert reports(rows, prior_variance=1.0)["o1"].log_likelihood is not None


def test_an_observer_with_no_trial(reports, rng):
    rows = [*panel(rng), ["late", "c0", "A", "B", "a", "training", ""]]
    report = reports(rows)["late"]
    assert (report.n_votes, report.n_training, report.log_likelihood) == (0, 1, None)


def test_unknown_observers(real_data):
    votes = read_votes(real_data / "realsr1k" / "votes.csv")
    assert observer_reports(votes, np.zeros(12)) == []


@pytest.fixture
def panel_votes(tmp_path, rng):
    path = tmp_path / "votes.csv"
    obvious = [["o2", "c2", "D~degraded", "D", "b", "obvious", "b"]]
    path.write_text("\n".join([HEADER, *map(",".join, [*panel(rng), *obvious]), ""]))
    return path


@pytest.mark.answers(
    "Study and votes",
    "`rank --exclude OBSERVER`",
    "the ranking of the others' votes alone; a note says how many are left out",
)
def test_an_observer_can_be_left_out(panel_votes, tmp_path):
    lines = panel_votes.read_text().splitlines(keepends=True)
    (tmp_path / "others.csv").write_text(
        "".join(line for line in lines if not line.startswith(("o2,", "o4,")))
    )
    options = ["--format", "json", "--bootstrap", "9"]
    left_out = ["--exclude", "o2", "--exclude", "o4"]
    result = CliRunner().invoke(app, ["rank", str(panel_votes), *options, *left_out])
    assert result.exit_code == 0, result.output
    assert "note: left out 241 of 601 votes, those of o2, o4\n" in result.stderr
    expected = CliRunner().invoke(app, ["rank", str(tmp_path / "others.csv"), *options])
    assert result.stdout == expected.stdout


@pytest.mark.answers(
    "Study and votes",
    "`rank --exclude` with an unknown observer",
    "error: names it and those known",
)
def test_who_cannot_be_left_out(panel_votes, real_data):
    votes = read_votes(panel_votes)
    with pytest.raises(SriqaError, match="no observer 's9' in the file; there are o1, o2, o3, o4"):
        without(votes, ["o1", "s9"])
    with pytest.raises(SriqaError, match="no trial is left without o1, o2"):
        without(votes, votes.observers)
    with pytest.raises(SriqaError, match="does not say who voted"):
        without(read_votes(real_data / "realsr1k" / "votes.csv"), ["o1"])
    result = CliRunner().invoke(app, ["rank", str(panel_votes), "--exclude", "s9"])
    assert result.exit_code == 1
    assert result.stderr.startswith("sriqa-calibrate: no observer 's9'")
    assert result.stdout == ""
