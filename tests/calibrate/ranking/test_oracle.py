import io
from collections import Counter

import numpy as np
import pytest

from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.ranking.oracle import oracle_2afc, others_2afc
from sriqa_metric.calibrate.ranking.output import write_report
from sriqa_metric.calibrate.ranking.report import rank_votes

row = "Study and votes"
HEADER = "observer,content,method_a,method_b,choice"


@pytest.fixture
def votes(tmp_path):
    """Votes on A and B: each argument is a content, each of its letters one observer's vote."""

    def make(*contents: str, turned=False):
        lines = [HEADER]
        for content, choices in enumerate(contents):
            for observer, choice in enumerate(choices):
                shown = f"c{content},A,B"
                if turned and observer % 2:
                    shown, choice = f"c{content},B,A", {"a": "b", "b": "a", "t": "t"}[choice]
                lines.append(f"o{observer},{shown},{'tie' if choice == 't' else choice}")
        (tmp_path / "votes.csv").write_text("\n".join([*lines, ""]))
        return read_votes(tmp_path / "votes.csv")

    return make


def one_by_one(choices: str) -> float:
    """The definition: each vote judged by the majority of the others."""
    scores = []
    for k, own in enumerate(choices):
        others = Counter(choices[:k] + choices[k + 1 :])
        majority = "t" if others["a"] == others["b"] else max("ab", key=others.__getitem__)
        scores.append(0.5 if "t" in (own, majority) else float(own == majority))
    return float(np.mean(scores))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "choices", ["aa", "ab", "at", "tt", "aab", "abb", "aat", "att", "aabb", "aaabb", "abtt", "bbbb"]
)
def test_each_vote_is_judged_by_the_others(votes, choices, turned):
    assert oracle_2afc(votes(choices, turned=turned)) == (pytest.approx(one_by_one(choices)), 1)


@pytest.mark.answers(
    row, "votes that are flips of a coin", "a human 2AFC score of one half, however few on a pair"
)
@pytest.mark.parametrize("n", [2, 3, 4, 23])
def test_coins_score_one_half(rng, n):
    total = np.full(20000, n)
    wins = rng.binomial(total, 0.5)
    found = others_2afc(wins, np.zeros_like(wins), total)
    assert found.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.answers(
    row,
    "`rank` of votes of which each pair has one",
    "`needs two votes a pair` in place of the human 2AFC score",
)
def test_one_vote_a_pair_tells_nothing_of_agreement(votes):
    found = votes("a", "b", "a", "b")
    assert oracle_2afc(found) == (None, 0)
    report = rank_votes(found, bootstrap=0)
    assert "the human 2AFC score needs two votes a pair" in report.notes
    for style, text in (("table", "needs two votes a pair"), ("json", '"oracle_2afc": null')):
        stream = io.StringIO()
        write_report(report, style, stream)
        assert text in stream.getvalue()


def test_pairs_of_one_vote_are_left_out_and_told(votes):
    found = votes("aab", "b", "ab")
    expected = (one_by_one("aab") + one_by_one("ab")) / 2
    assert oracle_2afc(found) == (pytest.approx(expected), 2)
    notes = rank_votes(found, bootstrap=0).notes
    assert "the human 2AFC score rests on 2 image pairs of two votes or more" in notes


def test_published_votes(real_data):
    votes = read_votes(real_data / "realsr1k" / "votes.csv")
    assert oracle_2afc(votes) == (pytest.approx(0.758893, abs=1e-6), 1056)
