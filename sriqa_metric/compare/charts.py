"""Where the marks of the report's charts lie, on axes from 0 to 1000."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 1000, 40


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
