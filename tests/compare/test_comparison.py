"""Comparisons of scores: results, verdicts, what must not change them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sriqa_metric.compare import Comparison
from sriqa_metric.errors import SriqaError


def comparison(scores, names="ABCDEFGHIJKL", **options) -> Comparison:
    scores = np.asarray(scores, float)
    return Comparison.from_scores(
        list(names[: len(scores)]), scores, metric="made", weights="none", **options
    )


def test_results_by_hand():
    found = comparison([[1, 2, 3, 4], [1, 1, 1, 5]])
    a, b = found.methods
    assert (a.name, a.mean, a.n, a.rank) == ("A", 2.5, 4, 1)
    assert (b.name, b.mean, b.n, b.rank) == ("B", 2.0, 4, 2)
    # sd = √(5/3), t₀.₉₇₅ with 3 degrees of freedom = 3.18245
    assert a.ci_high - a.mean == pytest.approx(3.18245 * (5 / 3) ** 0.5 / 2, rel=1e-5)
    assert a.ci_low + a.ci_high == pytest.approx(5)
    (pair,) = found.pairs
    # Differences 0, 1, 2, -1.
    assert (pair.n, pair.wins_a, pair.win_rate) == (4, 2.5, 0.625)
    assert pair.effect == pytest.approx(0.5 / (5 / 3) ** 0.5)
    # Ranks 1.5, 3, 1.5: W = 4.5 of 6; 4 of 8 sign patterns are as far from 3: 0, 1.5 (two) ...
    assert pair.p_value == pytest.approx(stats.wilcoxon([0, 1, 2, -1]).pvalue) == 0.75
    assert pair.winner is None


def test_figures_are_scipys(rng):
    scores = rng.normal(size=(4, 40)) + np.arange(4)[:, None] / 3
    found = comparison(scores)
    assert [(pair.a, pair.b) for pair in found.pairs] == [
        ("A", "B"), ("A", "C"), ("A", "D"), ("B", "C"), ("B", "D"), ("C", "D")
    ]  # fmt: skip
    for pair in found.pairs:
        a, b = scores["ABCD".index(pair.a)], scores["ABCD".index(pair.b)]
        assert pair.p_value == pytest.approx(stats.wilcoxon(a, b).pvalue)
        assert pair.wins_a == (a > b).sum()
        statistic = stats.ttest_rel(a, b).statistic
        assert pair.effect == pytest.approx(statistic / 40**0.5)
        assert pair.p_holm >= pair.p_value


def test_equal_means_share_a_rank():
    found = comparison([[1, 2], [5, 6], [2, 1], [0, 1]])
    assert [method.rank for method in found.methods] == [2, 1, 2, 4]
    assert [method.name for method in found.best_first] == ["B", "A", "C", "D"]


def test_identical_methods_have_no_winner(rng):
    row = rng.normal(size=30)
    found = comparison([row, row])
    (pair,) = found.pairs
    assert (pair.p_value, pair.p_holm, pair.effect) == (1, 1, 0)
    assert (pair.win_rate, pair.winner, pair.needed) == (0.5, None, None)
    assert pair.verdict == "A and B have equal scores on 30 images"
    assert [method.rank for method in found.methods] == [1, 1]


def test_scores_within_the_tolerance_are_equal(rng):
    row = rng.normal(size=30)
    near = row + rng.uniform(-9e-6, 9e-6, 30)
    found = comparison([row, near], tolerance=1e-5)
    assert found.pairs[0].p_value == 1
    assert [method.rank for method in found.methods] == [1, 1]
    assert comparison([row, near]).pairs[0].win_rate != 0.5


def test_a_constant_difference_has_no_effect_size():
    rows = np.arange(8) / 10
    (pair,) = comparison([rows, rows + 0.1]).pairs
    assert pair.effect is None
    assert pair.winner == "B"
    assert pair.needed == 6
    assert pair.p_value == pytest.approx(2 / 2**8)


def test_a_single_content():
    found = comparison([[1.0], [2.0]])
    assert [(m.ci_low, m.ci_high, m.half, m.rank) for m in found.methods] == [
        (None, None, None, 2),
        (None, None, None, 1),
    ]
    (pair,) = found.pairs
    assert (pair.p_value, pair.effect, pair.needed, pair.winner) == (1, None, None, None)
    assert pair.verdict == "A and B cannot be told apart with 1 image; fewer than 6 never do"


def gaps(*parts: tuple[int, float]) -> np.ndarray:
    """Scores of A that differ from zero, those of B, as told: (how often, by how much)."""
    first = np.concatenate([np.full(times, float(gap)) for times, gap in parts])
    return np.array([first + np.linspace(0, 1e-3, len(first)), np.zeros(len(first))])


def test_verdict_of_a_clear_case():
    (pair,) = comparison(gaps((87, 1), (13, -1))).pairs
    assert pair.verdict == "A is better than B on 87 of 100 images, p < 0.001"
    (pair,) = comparison(gaps((87, 1), (13, -1))[::-1]).pairs
    assert pair.verdict == "B is better than A on 87 of 100 images, p < 0.001"


def test_verdict_says_how_many_are_equal():
    scores = gaps((87, 1), (10, -1), (3, 0))
    scores[:, -3:] = 0
    (pair,) = comparison(scores).pairs
    assert pair.verdict == "A is better than B on 87 of 100 images (equal on 3), p < 0.001"


def test_verdict_of_too_few_images(rng):
    gap = rng.normal(size=20)
    gap = (gap - gap.mean()) / gap.std(ddof=1) + 0.242
    (pair,) = comparison([gap, np.zeros(20)]).pairs
    assert pair.needed == 141
    assert pair.verdict == "A and B cannot be told apart with 20 images; about 140 would be needed"


def test_needed_is_never_below_what_there_is():
    gap = np.r_[np.linspace(0.1, 2, 120), -np.linspace(0.1, 1.63, 120)]
    (pair,) = comparison([gap, np.zeros(240)]).pairs
    assert pair.winner is None
    if pair.needed > 240:
        assert int(pair.verdict.split("about ")[1].split()[0]) > 240


def test_verdict_where_the_correction_decides():
    found = comparison([[1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0], [2, 1, 4, 3, 6, 5]])
    assert found.pairs[0].verdict == (
        "A and B cannot be told apart with 6 images (p = 0.031, but p = 0.094 after Holm's "
        "correction); about 7 would be needed"
    )


def test_verdict_where_wins_and_mean_disagree():
    (pair,) = comparison(gaps((80, 1), (20, -30))).pairs
    assert pair.winner == "A"
    assert pair.effect < 0
    assert pair.verdict == (
        "A is better than B on 80 of 100 images, p = 0.014, although B has the better mean"
    )
    (pair,) = comparison(gaps((45, 5), (55, -0.1))).pairs
    assert pair.winner == "A"
    assert "on 45 of 100 images" in pair.verdict
    assert pair.verdict.endswith("although B is better more often, by smaller margins")


def test_noise_cannot_be_told_apart(rng):
    found = [comparison(rng.normal(size=(2, 25))).pairs[0].winner is None for _ in range(400)]
    assert 0.93 < np.mean(found) < 0.975


def test_holm_guards_the_family(rng):
    quiet = [
        all(pair.winner is None for pair in comparison(rng.normal(size=(4, 20))).pairs)
        for _ in range(100)
    ]
    assert np.mean(quiet) > 0.92


tables = st.integers(2, 5).flatmap(
    lambda n: st.lists(
        st.lists(st.integers(-50, 50), min_size=n, max_size=n), min_size=1, max_size=30
    )
)


@settings(deadline=None, max_examples=60)
@given(tables, st.randoms())
def test_the_order_of_methods_changes_nothing(table, random):
    scores = np.array(table, float).T / 7
    order = list(range(len(scores)))
    random.shuffle(order)
    before = comparison(scores)
    after = comparison(scores[order], ["ABCDE"[k] for k in order])
    assert {m.name: m for m in before.methods} == {m.name: m for m in after.methods}
    known = {(pair.a, pair.b): pair for pair in after.pairs}
    for pair in before.pairs:
        if (pair.a, pair.b) in known:
            assert known[pair.a, pair.b] == pair
            continue
        other = known[pair.b, pair.a]
        assert other.wins_a == pair.n - pair.wins_a
        assert other.win_rate == (pair.n - pair.wins_a) / pair.n
        assert (other.p_value, other.p_holm) == (pair.p_value, pair.p_holm)
        assert other.effect == (None if pair.effect is None else -pair.effect)
        assert (other.needed, other.winner) == (pair.needed, pair.winner)
        if pair.winner:
            assert other.verdict == pair.verdict


@settings(deadline=None, max_examples=40)
@given(tables, st.integers(-1000, 1000))
def test_a_shift_changes_only_means(table, shift):
    scores = np.array(table, float).T
    before, after = comparison(scores), comparison(scores + shift)
    assert before.pairs == after.pairs
    assert [m.rank for m in before.methods] == [m.rank for m in after.methods]
    json.dumps(after.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("names", "scores", "told"),
    [
        ([], np.zeros((0, 1)), "at least one method"),
        (["A", "A"], [[1.0], [2.0]], "'A' comes twice"),
        (["A", "B"], [[1.0, np.nan], [2.0, 1]], "'A' on '1' is nan"),
        (["A", "B"], [[1.0, 3], [2.0, -np.inf]], "'B' on '1' is -inf"),
        (["A", "B"], [[], []], "at least one content"),
        (["A", "B"], [1.0, 2], "got (2,)"),
        (["A", "B"], [[1.0], [2], [3]], "got (3, 1)"),
    ],
)
def test_wrong_scores_are_named(names, scores, told):
    with pytest.raises(SriqaError) as error:
        Comparison.from_scores(names, np.array(scores), metric="made", weights="none")
    assert told in str(error.value)


def test_a_metric_of_which_less_is_better_gives_the_same_verdicts(rng):
    scores = rng.normal(size=(3, 12)) + np.array([[0.0], [1.0], [3.0]])
    up = Comparison.from_scores("abc", scores, metric="m", weights="w")
    down = Comparison.from_scores("abc", -scores, metric="m", weights="w", higher_is_better=False)
    assert down.pairs == up.pairs
    assert [m.rank for m in down.methods] == [m.rank for m in up.methods] == [3, 2, 1]
    assert [m.mean for m in down.methods] == [-m.mean for m in up.methods]
    assert np.array_equal(down.scores, -up.scores)
    assert down.to_dict()["higher_is_better"] is False
