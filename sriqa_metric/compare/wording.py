"""What is said of a comparison wherever it is shown: numbers, intervals, pairs, remarks."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..names import counted
from .agreement import Agreement
from .comparison import Comparison, MethodResult, PairResult
from .comparisons import Comparisons

TEST = "two-sided Wilcoxon signed-rank test over the contents, Holm's correction over all pairs"
INTERVAL = "95 % t interval of the mean over the contents"
PAIR_COLUMNS = ("wins of a", "p", "p (Holm)", "effect")
AGREEMENT = ("SRCC of methods", "SRCC within contents", "contradictions")
AGREEMENT_SAYS = (
    "agreement of metrics: SRCC of the methods' means, and of images ranked among the results on "
    "their content; contradictions: pairs of methods told apart in opposite ways"
)
MARKS = (
    "bold: the best mean and all that the test (p < 0.05) cannot tell from it; underlined: the "
    "same among the rest; what nothing stands below has no mark"
)
BEST, SECOND = "best", "second"
_MOST_REASONS = 10


def places_of(comparison: Comparison) -> int:
    """Decimals of mean scores: two digits of the smallest half interval, between 2 and 6."""
    positive = [method.half for method in comparison.methods if method.half]
    if not positive:
        return 3
    return min(max(1 - math.floor(math.log10(min(positive))), 2), 6)


def number(value: float, places: int) -> str:
    """A number without a sign before its zero."""
    return f"{round(value, places) + 0.0:.{places}f}"


def interval_text(method: MethodResult, places: int) -> str:
    """`11.20 to 13.40`, or nothing."""
    if method.ci_low is None or method.ci_high is None:
        return ""
    return f"{number(method.ci_low, places)} to {number(method.ci_high, places)}"


def pair_cells(pair: PairResult) -> tuple[str, ...]:
    """What stands under `PAIR_COLUMNS`."""
    effect = "" if pair.effect is None else f"{pair.effect:+.2f}"
    return f"{pair.wins_a:g} of {pair.n}", f"{pair.p_value:.2g}", f"{pair.p_holm:.2g}", effect


def agreement_cells(agreement: Agreement) -> tuple[str, ...]:
    """What stands under `AGREEMENT`."""
    rates = agreement.srcc_methods, agreement.srcc_within
    texts = ["" if rate is None else f"{rate:.2f}" for rate in rates]
    return *texts, str(len(agreement.contradictions))


def marks(comparison: Comparison) -> dict[str, str]:
    """Method -> `BEST` or `SECOND`, as `MARKS` says; the others are not in it."""
    told = {(pair.winner, pair.a if pair.winner == pair.b else pair.b) for pair in comparison.pairs}
    rest = comparison.best_first
    found: dict[str, str] = {}
    for mark in (BEST, SECOND):
        if not rest:
            break
        same = {one.name for one in rest if (rest[0].name, one.name) not in told}
        rest = [one for one in rest if one.name not in same]
        found |= dict.fromkeys(same if rest else (), mark)
    return found


def remarks(comparison: Comparison) -> list[str]:
    """What has to be known beside the numbers of one comparison, one line each."""
    return [
        f"{_source(comparison)}; a metric's opinion, not people's",
        f"{_size(comparison)} per method; {TEST}; {INTERVAL}",
        *comparison.notes,
        *_listed(_left_out(comparison)),
    ]


def all_remarks(comparisons: Comparisons) -> list[str]:
    """The same for several: what is told of many of them is told once."""
    each = comparisons.each
    named = len(comparisons.data_sets) > 1
    sizes: dict[str, list[str]] = {}
    for one in each:
        sizes.setdefault(_size(one) + (f" of {one.data_set}" if named else ""), []).append(
            one.metric
        )
    whose = [size + _of(names, comparisons) for size, names in sizes.items()]
    left_out = dict.fromkeys(
        f"{one.data_set}: {reason}" if named else reason
        for one in each
        for reason in _left_out(one)
    )
    return [
        *dict.fromkeys(map(_source, each)),
        "metrics' opinions, not people's",
        f"{', '.join(whose)} per method; {TEST}",
        *dict.fromkeys(note for one in each for note in one.notes),
        *(one.reason for one in comparisons.missing),
        *_listed(left_out),
    ]


def verdicts(comparisons: Comparisons) -> list[str]:
    """What can be said of each two methods; by whom and where, if that is not plain."""
    single = len(comparisons.each) == 1
    return [
        pair.verdict if single else f"{place_of(one.data_set, one.metric)}: {pair.verdict}"
        for one in comparisons.each
        for pair in one.pairs
    ]


def contradictions(comparisons: Comparisons) -> list[str]:
    """Pairs of methods of which two metrics say the opposite, one line each."""
    return [
        f"{place_of(one.data_set, one.a)} has {first} better than {second}, {one.b} {second} "
        f"better than {first}"
        for one in comparisons.agreement
        for first, second in one.contradictions
    ]


def place_of(data_set: str, metric: str) -> str:
    """`Set5 niqe`."""
    return f"{data_set} {metric}".lstrip()


def _source(comparison: Comparison) -> str:
    way = "higher" if comparison.higher_is_better else "lower"
    return f"scores of {comparison.metric}, weights {comparison.weights}; {way} is better"


def _size(comparison: Comparison) -> str:
    return f"n = {counted(len(comparison.contents), 'image')}"


def _of(names: list[str], comparisons: Comparisons) -> str:
    return "" if len(names) == len(comparisons.metrics) else f" ({', '.join(names)})"


def _left_out(comparison: Comparison) -> Iterable[str]:
    reasons = [f"{one.content} is not in {', '.join(one.lacking)}" for one in comparison.unmatched]
    reasons += [f"a file of {failure.content} failed" for failure in comparison.failed]
    return dict.fromkeys(reasons)


def _listed(reasons: Iterable[str]) -> list[str]:
    reasons = list(reasons)
    lines = [f"left out: {reason}" for reason in reasons[:_MOST_REASONS]]
    if len(reasons) > _MOST_REASONS:
        lines.append(f"left out for reasons like these: {len(reasons) - _MOST_REASONS} more")
    return lines
