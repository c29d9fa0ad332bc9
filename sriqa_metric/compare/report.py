"""A comparison as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import io
import math
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SriqaError
from ..files import write_text
from ..names import visible
from .comparison import Comparison
from .output import INTERVAL, PAIR_COLUMNS, TEST, interval_text, number, pair_cells, places_of

MOST_CONTENTS = 6
LONGEST_SIDE = 480
WIDTH, HEIGHT = 1000, 40  # of a chart, in its own units


@dataclass(frozen=True)
class Picture:
    """One method's result on a content; without `data` the file can no longer be read."""

    method: str
    score: str
    data: str | None
    width: int = 0
    height: int = 0


def write_report(comparison: Comparison, path: str | os.PathLike[str], command: str = "") -> None:
    """Write the page: rankings, verdicts, charts and the pictures that the methods differ on.

    Parameters
    ----------
    comparison : Comparison
    path : path
    command : str
        The command line that made it, to be shown.

    Raises
    ------
    SriqaError
        If the page cannot be written.
    """
    write_text(Path(path), render(comparison, command))


def render(comparison: Comparison, command: str = "") -> str:
    """The page as text; see `write_report`."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,  # Markup is not
    )
    template = resources.files(__package__).joinpath("report.html.j2").read_text("utf-8")
    places = places_of(comparison)
    return environment.from_string(template).render(
        comparison=comparison,
        command=command,
        test=TEST,
        interval=INTERVAL,
        n=len(comparison.contents),
        methods=[
            (method, number(method.mean, places), interval_text(method, places))
            for method in comparison.best_first
        ],
        pair_columns=PAIR_COLUMNS,
        pair_cells=pair_cells,
        win_rates=_win_rates(comparison),
        width=WIDTH,
        height=HEIGHT,
        **_charts(comparison, places),
        contents=_most_different(comparison, places),
        longest_side=LONGEST_SIDE,
    )


def _charts(comparison: Comparison, places: int) -> dict[str, Any]:
    """Axes and marks of the intervals and of the distributions, methods best first."""
    names = [method.name for method in comparison.methods]
    ends = [
        end
        for method in comparison.methods
        for end in (method.mean, method.ci_low, method.ci_high)
        if end is not None
    ]
    means, spread = Axis.over(np.array(ends)), Axis.over(comparison.scores)
    intervals, distributions = [], []
    for method in comparison.best_first:
        scores = comparison.scores[names.index(method.name)]
        low = method.mean if method.ci_low is None else method.ci_low
        high = method.mean if method.ci_high is None else method.ci_high
        text = f"mean {number(method.mean, places)}"
        span = interval_text(method, places)
        intervals.append(
            {
                "name": method.name,
                "value": number(method.mean, places),
                "says": f"{text}, 95 % interval {span}" if span else text,
                "marks": (means.at(low), means.at(method.mean), means.at(high)),
            }
        )
        shown = [number(q, places) for q in np.quantile(scores, [0, 0.25, 0.5, 0.75, 1])]
        distributions.append(
            {
                "name": method.name,
                "value": shown[2],
                "says": f"scores from {shown[0]} to {shown[4]}, median {shown[2]}, half of them "
                f"between {shown[1]} and {shown[3]}",
                "dots": strip(scores, spread),
                "marks": quartiles(scores, spread),
            }
        )
    return {
        "mean_axis": means,
        "intervals": intervals,
        "spread_axis": spread,
        "distributions": distributions,
    }


def _win_rates(comparison: Comparison) -> list[tuple[str, list[float | None]]]:
    """(method, win rate against every method), methods best first."""
    rates: dict[tuple[str, str], float] = {}
    for pair in comparison.pairs:
        rates[pair.a, pair.b] = pair.win_rate
        rates[pair.b, pair.a] = (pair.n - pair.wins_a) / pair.n
    names = [method.name for method in comparison.best_first]
    return [(a, [rates.get((a, b)) for b in names]) for a in names]


def _most_different(comparison: Comparison, places: int) -> list[tuple[str, list[Picture]]]:
    """Contents whose scores lie furthest apart, with the pictures from best to worst."""
    if not comparison.paths:
        return []
    chosen = np.argsort(-np.ptp(comparison.scores, axis=0), kind="stable")[:MOST_CONTENTS]
    found = []
    for k in chosen:
        scores = comparison.scores[:, k]
        pictures = [
            Picture(
                comparison.methods[j].name,
                number(scores[j], places),
                *_embedded(comparison.paths[j][k]),
            )
            for j in np.argsort(-scores, kind="stable")
        ]
        found.append((comparison.contents[k], pictures))
    return found


def _embedded(path: str) -> tuple[Any, ...]:
    """The picture as a data URL, reduced to `LONGEST_SIDE`, with its size."""
    from PIL import Image

    from ..images import as_float, read_image

    try:
        pixels = as_float(read_image(path))
    except SriqaError:
        return (None,)  # it had a score a moment ago; the page says that the picture is gone
    array = (pixels.permute(1, 2, 0) * 255).round().byte().numpy()
    image = Image.fromarray(np.ascontiguousarray(array))
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, "WEBP", quality=85)
    text = base64.b64encode(data.getvalue()).decode("ascii")
    return (f"data:image/webp;base64,{text}", *image.size)


@dataclass(frozen=True)
class Axis:
    """Scores from low to high, with round ticks."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    @classmethod
    def over(cls, values: np.ndarray) -> Axis:
        """An axis on which all values lie, with a margin."""
        low, high = float(np.min(values)), float(np.max(values))
        margin = (high - low) * 0.04 or max(abs(low), 1e-90) * 0.04
        low, high = low - margin, high + margin
        power = 10.0 ** math.floor(math.log10((high - low) / 4))
        step = next(k * power for k in (1, 2, 5, 10, 20) if (high - low) / (k * power) <= 6)
        places = max(0, -math.floor(math.log10(step)))
        marks = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
        bare = cls(low, high, ())
        return cls(low, high, tuple((bare.at(mark), _label(mark, places)) for mark in marks))

    def at(self, value: float) -> float:
        """Place of a score, from 0 to `WIDTH`."""
        return round(WIDTH * (value - self.low) / (self.high - self.low), 1)


def _label(mark: float, places: int) -> str:
    return f"{mark:.3g}" if places > 6 else f"{round(mark, places) + 0.0:.{places}f}"


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
