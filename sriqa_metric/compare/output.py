"""The forms in which comparisons are written: table, CSV, JSON, Markdown, LaTeX."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TextIO

from ..errors import SriqaError
from ..names import csv_line
from .comparisons import Comparisons
from .latex import write_latex
from .tables import write_markdown, write_table


def write_comparisons(
    comparisons: Comparisons, style: str, stream: TextIO, intervals: bool = False
) -> None:
    """Write comparisons as `table` for people, `json` or `csv` for programs, `md` or `latex`.

    Parameters
    ----------
    comparisons : Comparisons
    style : str
        One of `WRITERS`.
    stream : text file
    intervals : bool
        Whether means have half of their interval, in the tables that have no column for it.

    Raises
    ------
    SriqaError
        For an unknown format.
    """
    if style not in WRITERS:
        raise SriqaError(f"format is {style!r}; it must be one of {', '.join(WRITERS)}")
    WRITERS[style](comparisons, stream, intervals)


def _write_json(comparisons: Comparisons, stream: TextIO, intervals: bool) -> None:
    json.dump(comparisons.to_dict(), stream, indent=2, allow_nan=False)
    stream.write("\n")


def _write_csv(comparisons: Comparisons, stream: TextIO, intervals: bool) -> None:
    """One row for each pair on a data set under a metric; a method alone is one row."""
    known = ["a", "b", "n", "wins_a", "win_rate", "p_value", "p_holm", "effect"]
    stream.write(
        csv_line(
            [*("data_set", "metric", "higher_is_better"), *known, "mean_a", "mean_b", "weights"]
        )
    )
    for one in comparisons.each:
        means = {method.name: method.mean for method in one.methods}
        place = [one.data_set, one.metric, one.higher_is_better]
        for pair in one.pairs:
            figures = [getattr(pair, column) for column in known]
            ends = [means[pair.a], means[pair.b], one.weights]
            stream.write(csv_line([*place, *figures, *ends]))
        if not one.pairs:
            (alone,) = one.methods
            values = [alone.name, None, alone.n, *[None] * 5, alone.mean, None, one.weights]
            stream.write(csv_line([*place, *values]))


WRITERS: dict[str, Callable[[Comparisons, TextIO, bool], None]] = {
    "table": write_table,
    "csv": _write_csv,
    "json": _write_json,
    "md": write_markdown,
    "latex": write_latex,
}
