"""How a comparison is said in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .statistics import ALPHA

TEST = "two-sided Wilcoxon signed-rank test over the contents, Holm's correction over all pairs"
INTERVAL = "95 % t interval of the mean over the contents"


def source(metric: str, weights: str) -> str:
    """Where the scores come from, and what they are not."""
    return (
        f"scores of {metric}, weights {weights}; higher is better; a metric's opinion, not people's"
    )


def verdict(
    a: str,
    b: str,
    *,
    n: int,
    wins: tuple[int, int],
    mean_difference: float,
    p_value: float,
    p_holm: float,
    sign: int,
    needed: int | None,
    fewest: int,
) -> str:
    """What can be said about two methods.

    Parameters
    ----------
    a, b : str
    n : int
        Contents.
    wins : tuple of int
        Contents on which a, and b, has the higher score.
    mean_difference : float
        Of a to b.
    p_value, p_holm : float
    sign : int
        1 where the test favours a, -1 where it favours b.
    needed : int or None
        Contents that would probably do.
    fewest : int
        Contents below which none do.
    """
    images = "1 image" if n == 1 else f"{n} images"
    equal = n - sum(wins)
    if equal == n:
        return f"{a} and {b} have equal scores on {images}"
    if sign and p_holm < ALPHA:
        better, worse = (a, b) if sign > 0 else (b, a)
        won, lost = wins if sign > 0 else wins[::-1]
        text = f"{better} is better than {worse} on {won} of {images}"
        text += f" (equal on {equal})" if equal else ""
        text += f", {p_text(p_holm)}"
        if won < lost:
            text += f", although {worse} is better more often, by smaller margins"
        if mean_difference * sign < 0:
            text += f", although {worse} has the higher mean"
        elif mean_difference == 0:
            text += ", although their means are equal"
        return text
    text = f"{a} and {b} cannot be told apart with {images}"
    if p_value < ALPHA:
        text += f" ({p_text(p_value)}, but {p_text(p_holm)} after Holm's correction)"
    if needed is not None and needed > n:
        text += f"; about {_about(needed, n)} would be needed"
    elif n < fewest:
        text += f"; fewer than {fewest} never do"
    return text


def _about(needed: int, n: int) -> str:
    if needed > 1_000_000:
        return "a million or more"
    digits = 1 - math.floor(math.log10(needed))
    rounded = round(needed, digits)
    return str(rounded if rounded > n else needed)


def p_text(p: float) -> str:
    """`p = 0.012`, or `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def number(value: float, places: int) -> str:
    """A number without a sign before its zero."""
    return f"{round(value, places) + 0.0:.{places}f}"


def decimals(halves: Iterable[float | None]) -> int:
    """Decimals that show two digits of the smallest half interval, between 1 and 6."""
    positive = [half for half in halves if half]
    if not positive:
        return 3
    return min(max(1 - math.floor(math.log10(min(positive))), 1), 6)


def some(names: Iterable[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
