"""Paired comparison of scores: intervals, signed-rank test, sample size, and the verdict in words.

Every figure of a pair changes its sign, or stays as it is, to the last bit when the two change
places.
"""

from __future__ import annotations

import math

import numpy as np

ALPHA = 0.05
POWER = 0.8
_EXACT_UP_TO = 50
_ENUMERATE_UP_TO = 13


def differences(first: np.ndarray, second: np.ndarray, tolerance: float = 0.0) -> np.ndarray:
    """first − second, without what rounding adds.

    Differences are multiples of 2⁻⁴⁰ of the largest score, so that those which are equal on paper
    are equal here, and sums of them are exact; up to the tolerance they are zero.

    Parameters
    ----------
    first, second : ndarray, (..., n)
    tolerance : float
        Scores that lie no further apart are the same.

    Returns
    -------
    ndarray, (..., n)
    """
    largest = max(np.abs(first).max(), np.abs(second).max(), np.finfo(float).tiny)
    exponent = max(int(np.frexp(largest)[1]) - 40, -300)
    found = np.ldexp(np.rint(np.ldexp(first - second, -exponent)), exponent)
    return np.where(np.abs(found) <= tolerance, 0.0, found)


def half_intervals(scores: np.ndarray) -> np.ndarray | None:
    """Half of the 95 % t interval of every row's mean; None for a single content.

    Parameters
    ----------
    scores : ndarray, (N, n)

    Returns
    -------
    ndarray, (N,), or None
    """
    from scipy.special import stdtrit

    n = scores.shape[1]
    if n < 2:
        return None
    quantile = stdtrit(n - 1, 1 - ALPHA / 2)
    return np.asarray(quantile * scores.std(1, ddof=1) / math.sqrt(n))


def signed_rank(difference: np.ndarray) -> tuple[float, int]:
    """Two-sided Wilcoxon signed-rank test of paired differences.

    Zeros are left out, as Wilcoxon did. The null distribution is exact for up to 50 differences
    without zeros and ties, and up to 13 with; else it is the normal one, corrected for ties. That
    is what `scipy.stats.wilcoxon` chooses by itself since 1.13, whichever version is installed.

    Parameters
    ----------
    difference : ndarray, (n,)

    Returns
    -------
    p_value : float
        1 where all differences are zero.
    sign : int
        1 or -1 where the ranks of the positive or negative differences weigh more; else 0.
    """
    from scipy.stats import rankdata, wilcoxon

    present = difference[difference != 0]
    ranks = rankdata(np.abs(present))
    excess = float((np.sign(present) * ranks).sum())
    if excess == 0:
        return 1.0, 0
    sign = 1 if excess > 0 else -1
    tied = len(np.unique(ranks)) < len(difference)
    if tied and len(difference) <= _ENUMERATE_UP_TO:
        signs = 1 - 2 * (np.arange(1 << len(ranks))[:, None] >> np.arange(len(ranks)) & 1)
        return float((np.abs(signs @ ranks) >= abs(excess)).mean()), sign
    method = "exact" if len(difference) <= _EXACT_UP_TO and not tied else "asymptotic"
    return float(wilcoxon(sign * difference, method=method).pvalue), sign


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction for testing several hypotheses at once.

    Parameters
    ----------
    p_values : ndarray, (M,)

    Returns
    -------
    ndarray, (M,)
        In the order given.
    """
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def effect_size(difference: np.ndarray, tolerance: float = 0.0) -> float | None:
    """d_z, the mean of paired differences in units of their standard deviation.

    Zero where all differences are zero; None where they are all the same but not zero, or there
    is only one, because nothing then says how much they vary.

    Parameters
    ----------
    difference : ndarray, (n,)
    tolerance : float
        Differences that vary no more than this are the same.
    """
    mean = difference.mean()
    if mean == 0:
        return 0.0
    if len(difference) < 2 or np.ptp(difference) <= tolerance:
        return None
    return float(mean / difference.std(ddof=1))


def fewest_contents(pairs: int = 1) -> int:
    """Contents below which no p-value is small enough: the smallest of n contents is 2·2⁻ⁿ.

    Parameters
    ----------
    pairs : int
        Pairs of methods over which p-values are corrected.
    """
    return math.ceil(1 + math.log2(pairs / ALPHA))


def needed_contents(effect: float | None, pairs: int = 1) -> int | None:
    """Contents with which the test finds such an effect at α = 0.05 with a power of 80 %.

    The normal approximation for the paired t test, ((z₁₋α⸝₂ + z₁₋β)/d_z)², divided by the
    asymptotic relative efficiency 3/π of the signed-rank test for normal differences (Hodges and
    Lehmann, "The efficiency of some nonparametric competitors of the t-test", Annals of
    Mathematical Statistics 27, 1956). For one pair alone: Holm's correction may ask for more.

    Parameters
    ----------
    effect : float or None
    pairs : int
        Pairs of methods over which p-values are corrected.

    Returns
    -------
    int or None
        At least `fewest_contents(pairs)`; None without an effect.
    """
    from scipy.special import ndtri

    if not effect:
        return None
    z = ndtri(1 - ALPHA / 2) + ndtri(POWER)
    return max(fewest_contents(pairs), math.ceil((z / effect) ** 2 * math.pi / 3))


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
        Contents on which a, and b, has the better score.
    mean_difference : float
        Of a to b, positive where that of a is better.
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
            text += f", although {worse} has the better mean"
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
