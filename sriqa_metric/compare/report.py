"""Comparisons as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_text
from ..names import visible
from .charts import HEIGHT, MOST_PAIRS, WIDTH, Scatter, distributions, intervals, scatters
from .comparison import Comparison
from .comparisons import Comparisons, Missing
from .pictures import COLOURS, LONGEST_SIDE, most_different
from .summary import columns
from .wording import (
    AGREEMENT,
    AGREEMENT_SAYS,
    INTERVAL,
    MARKS,
    PAIR_COLUMNS,
    TEST,
    agreement_cells,
    contradictions,
    interval_text,
    number,
    pair_cells,
    places_of,
)

if TYPE_CHECKING:
    from ..quality_map import QualityMap

MOST_OPEN = 4  # comparisons, or contradictions, that are not folded away
MOST_VERDICTS = 15  # that are not folded away


def write_report(
    comparisons: Comparisons,
    path: str | os.PathLike[str],
    command: str = "",
    quality_map: Callable[[str], QualityMap] | None = None,
    max_pixels: int | None = None,
) -> None:
    """Write the page: rankings, verdicts, charts and the pictures that the methods differ on.

    Parameters
    ----------
    comparisons : Comparisons
    path : path
    command : str
        The command line that made it, to be shown.
    quality_map : callable, optional
        From a picture's path to its quality map, which is drawn beside the picture.
    max_pixels : int, optional
        Larger pictures are not shown; see `read_image`.

    Raises
    ------
    SriqaError
        If the page cannot be written.
    """
    write_text(Path(path), render(comparisons, command, quality_map, max_pixels))


def render(
    comparisons: Comparisons,
    command: str = "",
    quality_map: Callable[[str], QualityMap] | None = None,
    max_pixels: int | None = None,
) -> str:
    """The page as text; see `write_report`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,  # Markup is not
    )
    contents = most_different(comparisons, quality_map, max_pixels)
    script = _text("report.js") if any(len(one.pictures) > 1 for one in contents) else ""
    groups = [
        (data_set, [one for one in comparisons.each if one.data_set == data_set])
        for data_set in comparisons.data_sets
    ]
    return environment.get_template("report.html.j2").render(
        comparisons=comparisons,
        each=comparisons.each,
        names={one: _name(one) for one in comparisons.each},
        width=WIDTH,
        height=HEIGHT,
        command=command,
        test=TEST,
        interval=INTERVAL,
        summary=columns(comparisons),
        anchors={(one.data_set, one.metric): k for k, one in enumerate(comparisons.each, 1)},
        marks=MARKS,
        agreement=[(one, agreement_cells(one)) for one in comparisons.agreement],
        agreement_columns=AGREEMENT,
        agreement_says=AGREEMENT_SAYS,
        contradictions=contradictions(comparisons),
        drawn=[(data_set, _drawn(group)) for data_set, group in groups],
        sections=[_section(one) for one in comparisons.each],
        most_open=MOST_OPEN,
        most_verdicts=MOST_VERDICTS,
        pair_columns=PAIR_COLUMNS,
        pair_cells=pair_cells,
        contents=contents,
        colours=COLOURS,
        longest_side=LONGEST_SIDE,
        left_out=_left_out(comparisons),
        weights=dict.fromkeys((one.metric, one.weights) for one in comparisons.each),
        notes=dict.fromkeys((one.data_set, note) for one in comparisons.each for note in one.notes),
        style=Markup(_text("report.css")),
        script=Markup(script),
        script_hash=_hash(script),
    )


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hash(script: str) -> str:
    """What a content security policy calls a script by."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _name(comparison: Comparison) -> str:
    """The metric with its direction."""
    return f"{comparison.metric} {'↑' if comparison.higher_is_better else '↓'}"


def _drawn(on_one_set: list[Comparison]) -> list[Scatter]:
    """Every two metrics against each other; of many, only the first against the others."""
    found = scatters(on_one_set)
    return found if len(found) <= MOST_PAIRS else [one for one in found if one.x is on_one_set[0]]


def _section(comparison: Comparison) -> dict[str, Any]:
    """All that is said of one metric on one data set."""
    places = places_of(comparison)
    return {
        "comparison": comparison,
        "methods": [
            (method, number(method.mean, places), interval_text(method, places))
            for method in comparison.best_first
        ],
        "win_rates": _win_rates(comparison),
        "intervals": intervals(comparison, places),
        "distributions": distributions(comparison, places),
    }


def _win_rates(comparison: Comparison) -> list[tuple[str, list[float | None]]]:
    """(method, win rate against every method), methods best first."""
    rates: dict[tuple[str, str], float] = {}
    for pair in comparison.pairs:
        rates[pair.a, pair.b] = pair.win_rate
        rates[pair.b, pair.a] = (pair.n - pair.wins_a) / pair.n
    names = [method.name for method in comparison.best_first]
    return [(a, [rates.get((a, b)) for b in names]) for a in names]


def _left_out(comparisons: Comparisons) -> dict[str, dict[tuple[str, ...], None]]:
    """Missing metrics as (why,); failed files and lacking contents as (data set, content, why)."""
    holders: list[Comparison | Missing] = [*comparisons.each, *comparisons.missing]
    return {
        "missing": dict.fromkeys((one.reason,) for one in comparisons.missing),
        "failed": dict.fromkeys(
            (one.data_set, failure.content, failure.error)
            for one in holders
            for failure in one.failed
        ),
        "unmatched": dict.fromkeys(
            (one.data_set, content.content, ", ".join(content.lacking))
            for one in comparisons.each
            for content in one.unmatched
        ),
    }
