"""Axes and marks of the report's charts: what is where, in units of the drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .comparison import Comparison
from .wording import interval_text, number

WIDTH, HEIGHT = 1000, 40  # of a chart of one method; a scatter plot is WIDTH×WIDTH
MOST_PAIRS = 6  # of metrics that are drawn against each other; of more only those with the first
_SRCC_NEEDS = 3  # dots


@dataclass(frozen=True)
class Axis:
    """Scores from one end to the other, with round ticks."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    @classmethod
    def over(cls, values: np.ndarray, higher_is_better: bool = True) -> Axis:
        """An axis on which all values lie, with a margin; the better end is the far one."""
        low, high = float(np.min(values)), float(np.max(values))
        margin = (high - low) * 0.04 or max(abs(low), 1e-90) * 0.04
        low, high = low - margin, high + margin
        power = 10.0 ** math.floor(math.log10((high - low) / 4))
        step = next(k * power for k in (1, 2, 5, 10, 20) if (high - low) / (k * power) <= 6)
        places = max(0, -math.floor(math.log10(step)))
        marks = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
        bare = cls(low, high, ()) if higher_is_better else cls(high, low, ())
        ticks = tuple((bare.at(mark), _label(mark, places)) for mark in marks)
        return cls(bare.low, bare.high, ticks)

    def at(self, value: float) -> float:
        """Place of a score, from 0 to `WIDTH`."""
        return round(WIDTH * (value - self.low) / (self.high - self.low), 1)


def _label(mark: float, places: int) -> str:
    return f"{mark:.3g}" if places > 6 else f"{round(mark, places) + 0.0:.{places}f}"


@dataclass(frozen=True)
class Row:
    """One method in a chart: its number, what a screen reader says, and its marks."""

    name: str
    value: str
    says: str
    marks: tuple[float, float, float]
    dots: str = ""


def intervals(comparison: Comparison, places: int) -> tuple[Axis, list[Row]]:
    """Means with their intervals, methods best first."""
    ends = [
        end
        for method in comparison.methods
        for end in (method.mean, method.ci_low, method.ci_high)
        if end is not None
    ]
    axis = Axis.over(np.array(ends), comparison.higher_is_better)
    rows = []
    for method in comparison.best_first:
        low = method.mean if method.ci_low is None else method.ci_low
        high = method.mean if method.ci_high is None else method.ci_high
        mean, span = number(method.mean, places), interval_text(method, places)
        says = f"mean {mean}, 95 % interval {span}" if span else f"mean {mean}"
        marks = axis.at(low), axis.at(method.mean), axis.at(high)
        rows.append(Row(method.name, mean, says, marks))
    return axis, rows


def distributions(comparison: Comparison, places: int) -> tuple[Axis, list[Row]]:
    """All scores with their quartiles, methods best first."""
    axis = Axis.over(comparison.scores, comparison.higher_is_better)
    names = [method.name for method in comparison.methods]
    rows = []
    for method in comparison.best_first:
        scores = comparison.scores[names.index(method.name)]
        shown = [number(q, places) for q in np.quantile(scores, [0, 0.25, 0.5, 0.75, 1])]
        says = (
            f"scores from {shown[0]} to {shown[4]}, median {shown[2]}, half of them between "
            f"{shown[1]} and {shown[3]}"
        )
        marks = quartiles(scores, axis)
        rows.append(Row(method.name, shown[2], says, marks, strip(scores, axis)))
    return axis, rows


def strip(scores: np.ndarray, axis: Axis) -> str:
    """A path with a dot for every score, spread over the height so that dots show side by side."""
    spread = (np.arange(len(scores)) * 0.618034) % 1  # the golden ratio leaves no pattern
    heights = (spread - 0.5) * HEIGHT * 0.6 + HEIGHT / 2
    return "".join(
        f"M{axis.at(score):g} {height:.1f}h0" for score, height in zip(scores, heights, strict=True)
    )


def quartiles(scores: np.ndarray, axis: Axis) -> tuple[float, float, float]:
    """Places of the quartiles."""
    low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
    return axis.at(low), axis.at(middle), axis.at(high)


@dataclass(frozen=True, eq=False)
class Scatter:
    """One metric against another on the images that both have scores of.

    Parameters
    ----------
    x, y : Comparison
    x_axis, y_axis : Axis
    dots : tuple of str
        [method] -> a path with a dot for every image.
    n : int
        Dots.
    srcc : float or None
        Over all dots, 1 where the metrics agree on which is better; None for fewer than three dots
        or equal scores.
    """

    x: Comparison
    y: Comparison
    x_axis: Axis
    y_axis: Axis
    dots: tuple[str, ...]
    n: int
    srcc: float | None


def scatters(on_one_set: list[Comparison]) -> list[Scatter]:
    """Every two metrics of a data set against each other, where they have images in common."""
    found = [scatter(x, y) for x, y in combinations(on_one_set, 2)]
    return [one for one in found if one]


def scatter(x: Comparison, y: Comparison) -> Scatter | None:
    """One metric against another; None where they have no image in common."""
    places = {content: k for k, content in enumerate(y.contents)}
    shared = [(k, places[content]) for k, content in enumerate(x.contents) if content in places]
    if not shared:
        return None
    columns = np.array(shared).T
    across, up = x.scores[:, columns[0]], y.scores[:, columns[1]]
    x_axis = Axis.over(across, x.higher_is_better)
    y_axis = Axis.over(up, y.higher_is_better)
    dots = tuple(
        "".join(f"M{x_axis.at(a):g} {WIDTH - y_axis.at(b):g}h0" for a, b in zip(*row, strict=True))
        for row in zip(across, up, strict=True)
    )
    towards = 1 if x.higher_is_better == y.higher_is_better else -1
    return Scatter(x, y, x_axis, y_axis, dots, across.size, _srcc(across, towards * up))


def _srcc(a: np.ndarray, b: np.ndarray) -> float | None:
    from scipy.stats import spearmanr

    if a.size < _SRCC_NEEDS or not np.ptp(a) or not np.ptp(b):
        return None
    return float(spearmanr(a, b, axis=None).statistic)
