"""One table of several comparisons: methods down, metrics across, in groups by data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .comparison import Comparison
from .comparisons import Comparisons
from .wording import marks, number, places_of


@dataclass(frozen=True)
class Cell:
    """A method's mean under a metric; without text where there is none.

    Parameters
    ----------
    text : str
    half : str
        Half of the interval, where it was asked for and is known.
    mark : str
        `wording.BEST`, `wording.SECOND` or nothing.
    """

    text: str
    half: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """One metric on one data set.

    Parameters
    ----------
    data_set, metric : str
    higher_is_better : bool
    cells : tuple of Cell
        In the order of the methods.
    """

    data_set: str
    metric: str
    higher_is_better: bool
    cells: tuple[Cell, ...]


def columns(comparisons: Comparisons, intervals: bool = False) -> list[Column]:
    """All columns, data set by data set; every metric in each, and with the same decimals in all.

    Parameters
    ----------
    comparisons : Comparisons
    intervals : bool
        Whether cells have half of their interval.
    """
    found = []
    for data_set in comparisons.data_sets:
        for metric in comparisons.metrics:
            of_metric = [one for one in comparisons.each if one.metric == metric]
            places = max(map(places_of, of_metric))
            here = [one for one in of_metric if one.data_set == data_set]
            cells = list(_cells(here[0], places, intervals)) if here else []
            empty = [Cell("")] * (len(comparisons.methods) - len(cells))
            up = of_metric[0].higher_is_better
            found.append(Column(data_set, metric, up, (*cells, *empty)))
    return found


def _cells(comparison: Comparison, places: int, intervals: bool) -> Iterator[Cell]:
    marked = marks(comparison)
    for method in comparison.methods:
        half = "" if method.half is None or not intervals else number(method.half, places)
        yield Cell(number(method.mean, places), half, marked.get(method.name, ""))
