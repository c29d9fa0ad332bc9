"""Agreement with people, with rankings and with certain orders; intervals by a bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

NORMAL_975 = 1.959963984540054


@dataclass(frozen=True)
class Statistic:
    """One figure of one metric on one group of a data set, not yet computed.

    Parameters
    ----------
    group, figure : str
        What is measured on which part of the data set.
    of : callable
        Rows (K,), with repetitions when resampled -> the value, NaN where it is undefined.
    clusters : ndarray of int, (n,)
        For each of the n rows (images, pairs or contents) the content that it belongs to.
    """

    group: str
    figure: str
    of: Callable[[np.ndarray], float]
    clusters: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Parameters
    ----------
    group, figure : str
    value, low, high : float
        NaN where undefined; without resamples, the interval is NaN.
    n : int
        Rows that it is computed from.
    samples : ndarray, (resamples,)
        Its values on the resamples.
    """

    group: str
    figure: str
    value: float
    low: float
    high: float
    n: int
    samples: np.ndarray


def estimate(statistic: Statistic, resamples: int, seed: int = 0) -> Estimate:
    """Compute a figure and its percentile interval.

    The same clusters and seed give the same resamples, whatever the metric: differences of
    `samples` are paired. A resample on which the figure is undefined counts against us on both
    sides (see `interval`).
    """
    n = len(statistic.clusters)
    if not n:
        nothing = np.full(resamples, np.nan)
        return Estimate(statistic.group, statistic.figure, np.nan, np.nan, np.nan, 0, nothing)
    value = statistic.of(np.arange(n))
    samples = np.array([statistic.of(r) for r in _draws(statistic.clusters, resamples, seed)])
    low, high = (np.nan, np.nan)
    if resamples and np.isfinite(value):
        low, high = (float(end) for end in interval(samples))
    return Estimate(statistic.group, statistic.figure, value, low, high, n, samples)


def _draws(clusters: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Rows of as many whole clusters as there are, drawn with replacement."""
    rng = np.random.default_rng(seed)
    _, code = np.unique(clusters, return_inverse=True)
    order, size = np.argsort(code, kind="stable"), np.bincount(code)
    start = size.cumsum() - size
    for _ in range(resamples):
        drawn = rng.integers(len(size), size=len(size))
        sizes = size[drawn]
        offset = np.arange(sizes.sum()) - np.repeat(sizes.cumsum() - sizes, sizes)
        yield order[np.repeat(start[drawn], sizes) + offset]


def difference(first: Estimate, second: Estimate) -> tuple[float, float, float, float]:
    """Paired bootstrap test of two metrics' figures on the same rows.

    Returns
    -------
    value, low, high, p : float
        first − second, its 95 % interval, and the two-sided p of no difference: twice the share
        of resamples on the less likely side of zero, never below 2 / (resamples + 1).
    """
    samples = first.samples - second.samples
    value = first.value - second.value
    if not len(samples) or not np.isfinite(value):
        return value, np.nan, np.nan, np.nan
    low, high = interval(samples)
    least = min((~(samples > 0)).sum(), (~(samples < 0)).sum())
    return value, float(low), float(high), min(1.0, 2 * (1 + int(least)) / (1 + len(samples)))


def choices(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """q of each pair of scores: 1 where the first is higher, 0 where the second is, ½ on ties."""
    return (np.sign(first - second) + 1) / 2


def two_afc(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """2AFC score of each pair, p·q + (1 − p)(1 − q); p is the fraction of votes for the first."""
    return p * q + (1 - p) * (1 - q)


def plcc(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson correlation; NaN where either is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def srcc(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman correlation; ties share their mean rank; NaN where either is constant."""
    from scipy.stats import rankdata

    return plcc(rankdata(x), rankdata(y))


def krcc(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall correlation (τ-b); NaN where either is constant."""
    from scipy.stats import kendalltau

    return float(kendalltau(x, y, method="asymptotic").statistic)


class LogisticFit:
    """PLCC after the 4-parameter logistic, MOS ≈ b + (a − b) / (1 + exp(−k (s − c))).

    The least-squares fit is the one whose correlation with MOS is highest, and the correlation
    does not depend on a and b: only c and k are searched, by L-BFGS-B. Scores are in units of
    their interquartile range around the median; c is kept within ±10 and k within 0.01 and 100,
    so that relations without bend, which a logistic reaches in the limit only, have a fit too.

    It is fitted on the images that the correlation is computed on, as is usual, and takes either
    direction: a metric that is consistently wrong gets a high value, so SRCC stands beside it.

    Parameters
    ----------
    scores, mos : ndarray, (n,)
    """

    _BOUNDS = ((-10.0, 10.0), (float(np.log(0.01)), float(np.log(100))))
    _STARTS = tuple((c, np.log(k)) for c in (-1.0, 0.0, 1.0) for k in (0.3, 2.0, 10.0))

    def __init__(self, scores: np.ndarray, mos: np.ndarray) -> None:
        low, middle, high = np.quantile(scores, (0.25, 0.5, 0.75))
        self.scores = (scores - middle) / (high - low or scores.std() or 1)
        self.mos = mos
        fits = [self._fitted(np.arange(len(scores)), np.array(s)) for s in self._STARTS]
        self._start = max((fit for fit in fits if fit), default=(0.0, self._STARTS[4]))[1]

    def plcc(self, rows: np.ndarray) -> float:
        """PLCC of fitted scores and MOS on some images; NaN if the fit does not converge.

        It is fitted anew on these images, starting from the best of nine fits on all of them.
        """
        fit = self._fitted(rows, np.array(self._start))
        return np.nan if fit is None else fit[0]

    def _fitted(
        self, rows: np.ndarray, start: np.ndarray
    ) -> tuple[float, tuple[float, ...]] | None:
        """PLCC and (c, log k)."""
        from scipy.optimize import minimize

        scores, mos = self.scores[rows], self.mos[rows] - self.mos[rows].mean()
        if len(rows) <= 4 or np.ptp(scores) == 0 or np.ptp(mos) == 0:
            return None
        found = minimize(
            _unexplained, start, (scores, mos), "L-BFGS-B", jac=True, bounds=self._BOUNDS
        )
        if not found.success:
            return None
        return float(np.sqrt(max(0.0, 1 - found.fun))), tuple(found.x.tolist())


def _unexplained(
    where: np.ndarray, scores: np.ndarray, mos: np.ndarray
) -> tuple[float, np.ndarray]:
    """1 − r² of a logistic of scores (n,) at (c, log k) with MOS of mean zero, and its slope."""
    from scipy.special import expit

    c, k = where[0], np.exp(where[1])
    y = expit(k * (scores - c))
    steep = k * y * (1 - y)
    y = y - y.mean()
    common, spread, total = y @ mos, y @ y, mos @ mos
    if spread == 0:
        return 1.0, np.zeros(2)
    by_y = 2 * common / (spread * total) * (mos - common / spread * y)
    slope = np.array([-steep @ by_y, (steep * (scores - c)) @ by_y])
    return float(1 - common**2 / (spread * total)), -slope


def interval(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % percentile interval along the first axis.

    A resample without a ranking (NaN) counts as below the lower and above the upper end, since
    nobody knows on which side it would fall: when there are more than 2.5 % of them the interval
    is unbounded (-inf, inf).
    """
    low = np.quantile(np.where(np.isnan(samples), -np.inf, samples), 0.025, 0, method="lower")
    high = np.quantile(np.where(np.isnan(samples), np.inf, samples), 0.975, 0, method="higher")
    return low, high


def method_srcc(scores: np.ndarray, mu: np.ndarray) -> float:
    """Spearman correlation of the methods' mean scores (N, n contents) with the ranking (N,)."""
    return srcc(scores.mean(1), mu)


def pairs_right(scores: np.ndarray, mu: np.ndarray, among: set[int] | None = None) -> float:
    """Fraction of method pairs whose mean scores (N, n) stand in the order of the ranking (N,).

    Equal means count half. With `among`, only pairs with at least one of these methods; pairs
    of equal rank do not count.
    """
    return _fraction(scores.mean(1)[:, None], mu, among)


def image_pairs_right(scores: np.ndarray, mu: np.ndarray, among: set[int] | None = None) -> float:
    """The same per content: fraction of (pair, content) in the order of the global ranking."""
    return _fraction(scores, mu, among)


def _fraction(scores: np.ndarray, mu: np.ndarray, among: set[int] | None) -> float:
    right = [
        choices(scores[i], scores[j]) if mu[i] > mu[j] else choices(scores[j], scores[i])
        for i, j in combinations(range(len(mu)), 2)
        if mu[i] != mu[j] and (among is None or i in among or j in among)
    ]
    return float(np.mean(right)) if right else float("nan")


def severity_right(scores: np.ndarray) -> float:
    """Fraction of pairs of versions in the right order: ladders (n, L), best first; ties half."""
    versions = scores.shape[1]
    better, worse = np.triu_indices(versions, 1)
    return float(choices(scores[:, better], scores[:, worse]).mean())
