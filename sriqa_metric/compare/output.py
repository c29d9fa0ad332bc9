"""The forms in which a comparison is written: table, CSV, JSON, Markdown, LaTeX."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TextIO

from ..errors import SriqaError
from ..names import csv_line, markdown, one_line, visible
from .comparison import Comparison, MethodResult, PairResult

TEST = "two-sided Wilcoxon signed-rank test over the contents, Holm's correction over all pairs"
INTERVAL = "95 % t interval of the mean over the contents"
PAIR_COLUMNS = ("wins of a", "p", "p (Holm)", "effect")
_MOST_REASONS = 10
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    '"': r"\symbol{34}",  # babel takes it for the start of an umlaut
    **{sign: f"{{{sign}}}" for sign in "[]*"},  # what ends the row before takes [x] and *
}


def write_comparison(comparison: Comparison, style: str, stream: TextIO) -> None:
    """Write a comparison as `table` for people, `json` or `csv` for programs, `md` or `latex`.

    Raises
    ------
    SriqaError
        For an unknown format.
    """
    if style not in WRITERS:
        raise SriqaError(f"format is {style!r}; it must be one of {', '.join(WRITERS)}")
    WRITERS[style](comparison, stream)


def _write_json(comparison: Comparison, stream: TextIO) -> None:
    json.dump(comparison.to_dict(), stream, indent=2, allow_nan=False)
    stream.write("\n")


def _write_csv(comparison: Comparison, stream: TextIO) -> None:
    """One row a pair."""
    columns = ["a", "b", "n", "wins_a", "win_rate", "p_value", "p_holm", "effect"]
    stream.write(csv_line([*columns, "mean_a", "mean_b", "metric", "weights"]))
    means = {method.name: method.mean for method in comparison.methods}
    for pair in comparison.pairs:
        values = [getattr(pair, column) for column in columns]
        values += [means[pair.a], means[pair.b], comparison.metric, comparison.weights]
        stream.write(csv_line(values))


def _write_table(comparison: Comparison, stream: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # A file or a pipe has no width: lines are kept whole there.
    width = None if stream.isatty() else 10_000
    console = Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
    places = places_of(comparison)
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("rank", "method", "mean score", "95 % interval", "images"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for method in comparison.best_first:
        mean = number(method.mean, places)
        span = interval_text(method, places)
        table.add_row(str(method.rank), visible(method.name), mean, span, str(method.n))
    console.print(table)
    table = Table("a", "b", box=box.SIMPLE_HEAD)
    for name in PAIR_COLUMNS:
        table.add_column(name, justify="right")
    for pair in comparison.pairs:
        table.add_row(visible(pair.a), visible(pair.b), *pair_cells(pair))
    console.print(table)
    for line in (*(pair.verdict for pair in comparison.pairs), *remarks(comparison)):
        console.print(visible(line))


def _write_markdown(comparison: Comparison, stream: TextIO) -> None:
    places = places_of(comparison)
    lines = ["| rank | method | mean score | 95 % interval | images |", "|--:|:--|--:|--:|--:|"]
    for method in comparison.best_first:
        mean = _emphasised(method, comparison, number(method.mean, places), "**{}**", "<u>{}</u>")
        span = interval_text(method, places)
        cells = str(method.rank), markdown(method.name), mean, span, str(method.n)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| a | b | {' | '.join(PAIR_COLUMNS)} |", "|:--|:--" + "|--:" * 4 + "|"]
    for pair in comparison.pairs:
        lines.append(f"| {' | '.join((markdown(pair.a), markdown(pair.b), *pair_cells(pair)))} |")
    lines += ["", *(f"- {markdown(pair.verdict)}" for pair in comparison.pairs), ""]
    lines += [f"- {markdown(line)}" for line in remarks(comparison)]
    stream.writelines(f"{line}\n" for line in lines)


def _write_latex(comparison: Comparison, stream: TextIO) -> None:
    def text(value: str) -> str:
        return "".join(_LATEX.get(sign, sign) for sign in one_line(value))

    places = places_of(comparison)
    rows = []
    for method in comparison.best_first:
        mean = number(method.mean, places)
        mean = _emphasised(method, comparison, mean, r"\mathbf{{{}}}", r"\underline{{{}}}")
        half = "" if method.half is None else rf" \pm {number(method.half, places)}"
        rows.append(rf"{text(method.name)} & ${mean}{half}$ \\")
    lines = [
        *(f"% {one_line(line)}" for line in remarks(comparison)),
        *(f"% {one_line(pair.verdict)}" for pair in comparison.pairs),
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lc}",
        r"\toprule",
        rf"Method & {text(comparison.metric)} $\uparrow$ \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    stream.writelines(f"{line}\n" for line in lines)


def places_of(comparison: Comparison) -> int:
    """Decimals of mean scores: two digits of the smallest half interval, between 1 and 6."""
    positive = [method.half for method in comparison.methods if method.half]
    if not positive:
        return 3
    return min(max(1 - math.floor(math.log10(min(positive))), 1), 6)


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


def remarks(comparison: Comparison) -> list[str]:
    """What has to be known beside the numbers, one line each."""
    n = len(comparison.contents)
    lines = [
        f"scores of {comparison.metric}, weights {comparison.weights}; higher is better; "
        "a metric's opinion, not people's"
    ]
    lines.append(f"n = {n} {'image' if n == 1 else 'images'} per method; {TEST}; {INTERVAL}")
    lines += comparison.notes
    left_out = [f"{one.content} is not in {', '.join(one.lacking)}" for one in comparison.unmatched]
    left_out += [f"a file of {failure.content} failed" for failure in comparison.failed]
    lines += [f"left out: {reason}" for reason in left_out[:_MOST_REASONS]]
    if len(left_out) > _MOST_REASONS:
        lines.append(f"left out for reasons like these: {len(left_out) - _MOST_REASONS} more")
    return lines


def _emphasised(
    method: MethodResult, comparison: Comparison, text: str, best: str, second: str
) -> str:
    ranks = sorted({one.rank for one in comparison.methods})
    if len(ranks) == 1:
        return text
    return {ranks[0]: best, ranks[1]: second}.get(method.rank, "{}").format(text)


WRITERS: dict[str, Callable[[Comparison, TextIO], None]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "md": _write_markdown,
    "latex": _write_latex,
}
