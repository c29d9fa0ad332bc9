"""Comparisons as a LaTeX table."""

from __future__ import annotations

from itertools import groupby
from typing import TextIO

from ..names import one_line
from .comparisons import Comparisons
from .summary import Cell, Column, columns
from .wording import BEST, INTERVAL, MARKS, SECOND, all_remarks, contradictions, remarks, verdicts

_ESCAPED = {
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
_MARKED = {BEST: r"\mathbf{{{}}}", SECOND: r"\underline{{{}}}", "": "{}"}


def write_latex(comparisons: Comparisons, stream: TextIO, intervals: bool = False) -> None:
    """Write a tabular for booktabs; what a caption has to say stands in comments above it."""
    across = columns(comparisons, intervals)
    names = comparisons.methods
    single = len(comparisons.each) == 1
    order = [names.index(one.name) for one in comparisons.each[0].best_first]
    told = remarks(comparisons.each[0]) if single else all_remarks(comparisons)
    told += [MARKS, *([f"±: {INTERVAL}"] if intervals and not single else [])]
    lines = [
        *(f"% {one_line(line)}" for line in told),
        *(f"% {one_line(line)}" for line in (*verdicts(comparisons), *contradictions(comparisons))),
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'c' * len(across)}}}",
        r"\toprule",
        *_groups(across),
        " & ".join(["Method", *map(_head, across)]) + r" \\",
        r"\midrule",
        *(
            " & ".join([_text(names[k]), *(_cell(column.cells[k]) for column in across)]) + r" \\"
            for k in (order if single else range(len(names)))
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    stream.writelines(f"{line}\n" for line in lines)


def _groups(across: list[Column]) -> list[str]:
    """Data sets above their metrics, where there is more than one without name."""
    widths = [(name, len(list(own))) for name, own in groupby(across, lambda one: one.data_set)]
    if len(widths) == 1:
        return []
    heads, rules, first = [""], [], 2
    for name, width in widths:
        heads.append(rf"\multicolumn{{{width}}}{{c}}{{{_text(name)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    return [" & ".join(heads) + r" \\", " ".join(rules)]


def _head(column: Column) -> str:
    arrow = r"\uparrow" if column.higher_is_better else r"\downarrow"
    return f"{_text(column.metric)} ${arrow}$"


def _cell(cell: Cell) -> str:
    if not cell.text:
        return "--"
    half = rf" \pm {cell.half}" if cell.half else ""
    return f"${_MARKED[cell.mark].format(cell.text)}{half}$"


def _text(value: str) -> str:
    return "".join(_ESCAPED.get(sign, sign) for sign in one_line(value))
