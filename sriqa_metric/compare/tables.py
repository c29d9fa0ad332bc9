"""Comparisons as tables for people: on a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from ..names import markdown, visible
from .comparison import Comparison
from .comparisons import Comparisons
from .summary import Cell, Column, columns
from .wording import (
    AGREEMENT,
    AGREEMENT_SAYS,
    BEST,
    INTERVAL,
    MARKS,
    PAIR_COLUMNS,
    SECOND,
    agreement_cells,
    all_remarks,
    contradictions,
    interval_text,
    marks,
    number,
    pair_cells,
    place_of,
    places_of,
    remarks,
    verdicts,
)

if TYPE_CHECKING:
    from rich.text import Text

Rows = list[tuple[list[str], list[Cell]]]
"""Leading texts, then numbers."""

_RANKED = ("mean score", "95 % interval", "images")
_MARKDOWN = {BEST: "**{}**", SECOND: "<u>{}</u>", "": "{}"}
_STYLE = {BEST: "bold", SECOND: "underline", "": ""}


def write_table(comparisons: Comparisons, stream: TextIO, intervals: bool = False) -> None:
    """Write tables for a terminal, at their full width, and what has to be said below them."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # Whatever the width of the terminal: it wraps lines, which loses and breaks nothing.
    console = Console(file=stream, width=10_000, markup=False, highlight=False, emoji=False)
    for heads, texts, rows in _tables(comparisons, intervals):
        table = Table(box=box.SIMPLE_HEAD)
        for k, head in enumerate(heads):
            table.add_column(visible(head), justify="left" if k in texts else "right")
        for leading, cells in rows:
            table.add_row(*map(visible, leading), *map(_styled, cells))
        console.print(table)
    lines = _said(comparisons, intervals)
    for line in [*lines, MARKS] if stream.isatty() else lines:
        print(visible(line), file=stream)


def write_markdown(comparisons: Comparisons, stream: TextIO, intervals: bool = False) -> None:
    """Write the same tables in Markdown."""
    for heads, texts, rows in _tables(comparisons, intervals):
        lines = [_line(map(markdown, heads))]
        lines.append(
            "|" + "|".join(":--" if k in texts else "--:" for k in range(len(heads))) + "|"
        )
        for leading, cells in rows:
            numbers = [_MARKDOWN[cell.mark].format(cell.text) + _half(cell) for cell in cells]
            lines.append(_line([*map(markdown, leading), *numbers]))
        stream.writelines(f"{line}\n" for line in [*lines, ""])
    stream.writelines(f"- {markdown(line)}\n" for line in [*_said(comparisons, intervals), MARKS])


def _line(cells: Sequence[str] | map[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _half(cell: Cell) -> str:
    return f" ± {cell.half}" if cell.half else ""


def _styled(cell: Cell) -> Text:
    from rich.text import Text

    return Text.assemble((cell.text, _STYLE[cell.mark]), _half(cell))


def _said(comparisons: Comparisons, intervals: bool) -> list[str]:
    """The lines below the tables."""
    if len(comparisons.each) == 1:
        missing = [one.reason for one in comparisons.missing]
        return [*verdicts(comparisons), *remarks(comparisons.each[0]), *missing]
    lines = contradictions(comparisons) + all_remarks(comparisons)
    lines += [AGREEMENT_SAYS] if comparisons.agreement else []
    return lines + ([f"±: {INTERVAL}"] if intervals else [])


def _tables(
    comparisons: Comparisons, intervals: bool
) -> list[tuple[Sequence[str], set[int], Rows]]:
    """Heads, which columns are texts, and rows of every table."""
    if len(comparisons.each) == 1:
        return _single(comparisons.each[0])
    across = columns(comparisons, intervals)
    several = len(comparisons.data_sets) > 1
    rows: Rows = [
        ([name], [column.cells[k] for column in across])
        for k, name in enumerate(comparisons.methods)
    ]
    tables: list[tuple[Sequence[str], set[int], Rows]] = [
        (["method", *(_head(column, several) for column in across)], {0}, rows)
    ]
    if comparisons.agreement:
        tables.append((("metric", "and", *AGREEMENT), {0, 1}, _agreement(comparisons, several)))
    return tables


def _head(column: Column, several: bool) -> str:
    arrow = "↑" if column.higher_is_better else "↓"
    return f"{place_of(column.data_set if several else '', column.metric)} {arrow}"


def _agreement(comparisons: Comparisons, several: bool) -> Rows:
    return [
        (
            [place_of(one.data_set if several else "", one.a), one.b],
            [Cell(text) for text in agreement_cells(one)],
        )
        for one in comparisons.agreement
    ]


def _single(comparison: Comparison) -> list[tuple[Sequence[str], set[int], Rows]]:
    """One metric on one data set: its ranking, and every pair."""
    places, marked = places_of(comparison), marks(comparison)
    ranking: Rows = [
        (
            [str(method.rank), method.name],
            [
                Cell(number(method.mean, places), mark=marked.get(method.name, "")),
                Cell(interval_text(method, places)),
                Cell(str(method.n)),
            ],
        )
        for method in comparison.best_first
    ]
    pairs: Rows = [
        ([pair.a, pair.b], [Cell(text) for text in pair_cells(pair)]) for pair in comparison.pairs
    ]
    tables: list[tuple[Sequence[str], set[int], Rows]] = [
        (("rank", "method", *_RANKED), {1}, ranking)
    ]
    if pairs:
        tables.append((("a", "b", *PAIR_COLUMNS), {0, 1}, pairs))
    return tables
