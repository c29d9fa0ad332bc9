"""Comparisons as a figure for a paper (needs matplotlib, the extra `plot`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SriqaError
from ..files import replaced
from ..names import visible
from .comparison import Comparison
from .comparisons import Comparisons

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN, TEXT = 3.4, 7.0  # inches: one column of a paper, and both
_MOST_ACROSS = 4
_LONGEST = 40  # letters of a name
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "text.usetex": False,
    "pdf.fonttype": 42,  # text stays text
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "sriqa",  # the same comparison is the same file
}
_NO_DATE = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def write_plot(comparisons: Comparisons, path: str | os.PathLike[str]) -> None:
    """Draw a panel for each metric: mean and 95 % interval per method over dots of the images.

    One panel is one column of a paper wide, more take both. Data sets stand one below the other.
    Better is to the right.

    Parameters
    ----------
    comparisons : Comparisons
    path : path
        Picture to write; its ending says the format (.pdf, .png, .svg).

    Raises
    ------
    SriqaError
        If matplotlib is not installed, the ending says no format, or the file cannot be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise SriqaError(
            "plots need matplotlib, which is not installed: pip install 'sriqa-metric[plot]'"
        ) from None
    path = Path(path)
    across = min(len(comparisons.metrics), _MOST_ACROSS)
    rows = _rows(comparisons, across)
    size = (COLUMN if across == 1 else TEXT, len(rows) * (0.5 + 0.2 * len(comparisons.methods)))
    with rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(rows), across, squeeze=False)
        for row, axes_of_row in zip(rows, panels, strict=True):
            for k, axes in enumerate(axes_of_row):
                if k < len(row):
                    _draw(row[k], comparisons.methods, axes, first=k == 0)
                else:
                    axes.remove()
        ending = path.suffix[1:].lower() or "png"
        try:
            with replaced(path) as partial:
                figure.savefig(partial, format=ending, dpi=300, metadata=_NO_DATE.get(ending))
        except SriqaError:
            raise
        except ValueError as error:  # the ending
            raise SriqaError(f"{path}: cannot write the plot: {error}") from None


def _rows(comparisons: Comparisons, across: int) -> list[list[Comparison]]:
    """The panels of each row: of one data set, so many at most."""
    rows = []
    for data_set in comparisons.data_sets:
        on_one = [one for one in comparisons.each if one.data_set == data_set]
        rows += [on_one[k : k + across] for k in range(0, len(on_one), across)]
    return rows


def _draw(comparison: Comparison, names: tuple[str, ...], axes: Axes, first: bool) -> None:
    """One metric on one data set; only the first panel of a row names the methods."""
    scores = {method.name: k for k, method in enumerate(comparison.methods)}
    for place, name in enumerate(names):
        method = comparison.methods[scores[name]]
        dots = comparison.scores[scores[name]]
        spread = (np.arange(len(dots)) * 0.618034) % 1 - 0.5  # the golden ratio leaves no pattern
        dot = 2 if len(dots) <= 50 else 1.2
        axes.plot(dots, place + 0.5 * spread, "o", color="#8fb3d9", markersize=dot, mew=0, zorder=1)
        if method.ci_low is not None and method.ci_high is not None:
            axes.hlines(place, method.ci_low, method.ci_high, color="black", lw=1.2)
        axes.plot(method.mean, place, "o", color="black", markersize=3)
    shown = [_short(name) for name in names] if first else [""] * len(names)
    axes.set_yticks(range(len(names)), shown, parse_math=False)  # `$` is no formula
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if not comparison.higher_is_better:
        axes.invert_xaxis()
    label = f"{_short(comparison.metric)} {'↑' if comparison.higher_is_better else '↓'}"
    axes.set_xlabel(label, parse_math=False)
    if first and comparison.data_set:
        axes.set_ylabel(_short(comparison.data_set), parse_math=False)


def _short(name: str) -> str:
    """A name that leaves room for the panels."""
    text = visible(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
