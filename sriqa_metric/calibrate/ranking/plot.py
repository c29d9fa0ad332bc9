"""A global ranking in one picture; needs matplotlib (the extra `plot`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import SriqaError
from .report import RankReport

MOST_NUMBERS = 15


def plot_ranking(report: RankReport, path: Path) -> None:
    """Draw the scores with their intervals, the stability over K and the win rates.

    Parameters
    ----------
    report : RankReport
    path : Path
        Picture to write; its ending says the format (.png, .svg, .pdf).

    Raises
    ------
    SriqaError
        If matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SriqaError(
            "plots need matplotlib, which is not installed: pip install 'sriqa-metric[plot]'"
        ) from None
    n = len(report.methods)
    figure = Figure(figsize=(18, max(5.0, min(0.25 * n, 40.0))), layout="constrained")
    scores, stability, rates = figure.subplots(1, 3)

    places = np.arange(n)
    scores.plot(report.mu, places, "o", color="black", markersize=4)
    span = np.ptp(report.mu) or 1.0
    low = np.maximum(report.ci_low, report.mu.min() - span)  # unbounded ends stop at the edge
    high = np.minimum(report.ci_high, report.mu.max() + span)
    scores.hlines(places, low, high, color="black")
    scores.set_yticks(places, report.methods)
    scores.invert_yaxis()
    scores.set_xlabel("score μ, 95 % interval")
    scores.set_title("Global ranking")

    drawn = {k: srcc for k, srcc in report.top_k_srcc.items() if srcc is not None}
    stability.plot(list(drawn), list(drawn.values()), "o-", color="black", markersize=4)
    stability.set_xlabel("K, contents per method pair")
    stability.set_ylabel("SRCC with the full ranking")
    stability.set_title("Stability")
    stability.grid(alpha=0.3)

    image = rates.imshow(report.win_rate, vmin=0, vmax=1, cmap="RdBu")
    rates.set_xticks(places, report.methods, rotation=90)
    rates.set_yticks(places, report.methods)
    rates.set_title("Win rate of the row against the column")
    figure.colorbar(image, ax=rates, shrink=0.8)
    if n <= MOST_NUMBERS:
        for i, j in np.argwhere(np.isfinite(report.win_rate)):
            rates.text(j, i, f"{report.win_rate[i, j]:.2f}", ha="center", va="center", fontsize=7)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise SriqaError(f"{path}: cannot write the plot: {error}") from None
