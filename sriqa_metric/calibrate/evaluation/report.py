"""The figures of an evaluation as a table, Markdown, CSV or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TextIO

from ...names import csv_line, markdown, visible

FORMATS = ("table", "json", "csv", "md")


@dataclass(frozen=True)
class Row:
    """One figure of one metric, or the difference of one figure between two metrics.

    Parameters
    ----------
    metric, weights : str
        What gave the scores; references have no weights.
    data_set, group, figure : str
    value, ci_low, ci_high : float
        With its 95 % interval; NaN where undefined.
    n : int
        Images, pairs or contents that the figure is computed from.
    versus : str
        The other metric, where the value is `metric` minus `versus`.
    p : float
        Of no difference, two-sided; NaN elsewhere.
    """

    metric: str
    weights: str
    data_set: str
    group: str
    figure: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    versus: str = ""
    p: float = math.nan


COLUMNS = tuple(field.name for field in fields(Row))


def write_report(rows: Sequence[Row], notes: Iterable[str], style: str, stream: TextIO) -> None:
    """Write the rows in one of `FORMATS`; Markdown and JSON hold the notes too."""
    if style == "json":
        document = {"rows": [_plain(row) for row in rows], "notes": list(notes)}
        json.dump(document, stream, indent=1, allow_nan=False)
        stream.write("\n")
    elif style == "csv":
        stream.write(csv_line(COLUMNS))
        stream.writelines(csv_line(_plain(row).values()) for row in rows)
    elif style == "md":
        _write_markdown(rows, notes, stream)
    else:
        _write_table(rows, stream)


def _plain(row: Row) -> dict[str, object]:
    """A row of plain values; what is undefined is None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(row).items()
    }


def _cells(row: Row) -> list[str]:
    difference = bool(row.versus)
    metric = f"{row.metric} − {row.versus}" if difference else row.metric
    sign = "+" if difference else ""
    value = "undefined" if math.isnan(row.value) else f"{row.value:{sign}.4f}"
    span = "" if math.isnan(row.ci_low) else f"[{row.ci_low:{sign}.4f}, {row.ci_high:{sign}.4f}]"
    last = f"{row.p:.3f}" if difference else row.weights
    return [row.data_set, row.group, row.figure, metric, value, span, str(row.n), last]


_HEAD = ("data set", "group", "figure", "metric", "value", "95 % interval", "n")


def _parts(rows: Sequence[Row]) -> list[tuple[tuple[str, ...], list[Row]]]:
    """Figures and differences, each with its column names; sorted to stand beside their like."""
    order = {row[:3]: k for k, row in enumerate(dict.fromkeys(map(_place, rows)))}
    rows = sorted(rows, key=lambda row: order[_place(row)])
    figures = [row for row in rows if not row.versus]
    differences = [row for row in rows if row.versus]
    parts = [((*_HEAD, "weights"), figures), ((*_HEAD, "p"), differences)]
    return [part for part in parts if part[1]]


def _place(row: Row) -> tuple[str, str, str]:
    return row.data_set, row.group, row.figure


def _write_markdown(rows: Sequence[Row], notes: Iterable[str], stream: TextIO) -> None:
    for head, part in _parts(rows):
        print("| " + " | ".join(head) + " |", file=stream)
        print("|---" * len(head) + "|", file=stream)
        for row in part:
            *names, value, span, n, last = _cells(row)
            cells = (*map(markdown, names), value, span, n, markdown(last))
            print("| " + " | ".join(cells) + " |", file=stream)
        print(file=stream)
    for note in notes:
        print(f"- {markdown(note)}", file=stream)


def _write_table(rows: Sequence[Row], stream: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A file or a pipe has no width: lines are kept whole there.
    width = None if stream.isatty() else 10_000
    console = Console(file=stream, width=width)
    for head, part in _parts(rows):
        table = Table(box=box.SIMPLE_HEAD)
        for name in head:
            table.add_column(name, justify="right" if name in ("value", "n", "p") else "left")
        for row in part:
            table.add_row(*(Text(visible(cell)) for cell in _cells(row)))
        console.print(table)
