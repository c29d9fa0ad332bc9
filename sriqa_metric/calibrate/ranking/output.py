"""The forms in which a ranking is written: table, JSON, CSV, and a picture (extra `plot`)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ...errors import SriqaError
from ...files import replaced
from ...names import counted, csv_line, visible
from ..statistics import NORMAL_975
from .observers import ObserverReport
from .oracle import NEEDS_TWO
from .results import RankReport

FORMATS = ("table", "json", "csv")
MOST_NUMBERS = 15  # methods whose win rates are also written into the plot


def write_report(report: RankReport, style: str, stream: TextIO) -> None:
    """Write a report as a table for people, or as JSON or CSV (method,mu,...) for programs.

    Raises
    ------
    SriqaError
        For an unknown format.
    """
    if style not in FORMATS:
        raise SriqaError(f"format is {style!r}; it must be one of {', '.join(FORMATS)}")
    if style == "json":
        json.dump(report_values(report), stream, indent=2, allow_nan=False)
        stream.write("\n")
    elif style == "csv":
        stream.write(csv_line(["method", "mu", "ci_low", "ci_high", "rank"]))
        rows = zip(report.methods, report.mu, report.ci_low, report.ci_high, strict=True)
        for rank, (name, *numbers) in enumerate(rows, start=1):
            stream.write(csv_line([name, *map(float, numbers), rank]))
    else:
        _write_table(report, stream)


def report_values(report: RankReport) -> dict[str, Any]:
    """The report as JSON has it; ends without bound are None."""
    z = NORMAL_975
    return {
        "methods": [
            {
                "name": name,
                "mu": float(report.mu[k]),
                "ci_low": _finite(report.ci_low[k]),
                "ci_high": _finite(report.ci_high[k]),
                "rank": k + 1,
                "asymptotic_low": float(report.mu[k] - z * report.standard_error[k]),
                "asymptotic_high": float(report.mu[k] + z * report.standard_error[k]),
            }
            for k, name in enumerate(report.methods)
        ],
        "n_votes": report.n_votes,
        "n_pairs": report.n_pairs,
        "oracle_2afc": report.oracle_2afc,
        "oracle_pairs": report.oracle_pairs,
        "groups": {"mad": {}, "mid": {}, **report.groups},
        "top_k_srcc": {str(k): srcc for k, srcc in report.top_k_srcc.items()},
        "log_likelihood": report.log_likelihood,
        "converged": True,  # a fit that does not converge is an error, not a report
        "prior_variance": report.prior_variance,
        "intervals": asdict(report.intervals),
        "win_probability": report.win_probability.round(6).tolist(),
        "not_separable": [
            {
                **asdict(pair),
                "ci_low": _finite(pair.ci_low),
                "ci_high": _finite(pair.ci_high),
            }
            for pair in report.neighbours
            if not pair.separable
        ],
        "n_rows": report.n_rows,
        "observers": [{**asdict(o), "flagged": o.flagged} for o in report.observers],
        "notes": report.notes,
    }


def _oracle(value: float | None) -> str:
    return NEEDS_TWO if value is None else f"{value:.4f}"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _write_table(report: RankReport, stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, markup=False, highlight=False, emoji=False)
    table = Table("rank", "method", "μ", "95 % interval", "beats next")
    for k, name in enumerate(report.methods):
        span = f"[{report.ci_low[k]:+.3f}, {report.ci_high[k]:+.3f}]"
        beats = ""
        if k < len(report.neighbours):
            pair = report.neighbours[k]
            beats = f"{pair.win_probability:.3f}" + ("" if pair.separable else " ≈")
        table.add_row(str(k + 1), visible(name), f"{report.mu[k]:+.3f}", span, beats)
    console.print(table)
    if not all(pair.separable for pair in report.neighbours):
        console.print("≈ not separable from the next at 95 %")
    made = report.intervals
    how = ""
    if made.over:
        how = f" over {made.clusters} {made.over}, {counted(made.resamples, 'resample')}"
    console.print(
        f"{counted(report.n_votes, 'vote')} on {counted(report.n_pairs, 'image pair')}; "
        f"intervals: {made.method}{how}"
    )
    console.print(
        f"human 2AFC score (others' majority) {_oracle(report.oracle_2afc)}, "
        f"log-likelihood {report.log_likelihood:.1f}"
    )
    for name, group in report.groups.items():
        best = ", ".join(visible(each["name"]) for each in group["methods"][:3]) or "no ranking"
        console.print(
            f"group {visible(name)}: {counted(group['n_votes'], 'vote')} on "
            f"{counted(group['n_pairs'], 'image pair')}, "
            f"human 2AFC score {_oracle(group['oracle_2afc'])}, best: {best}"
        )
    shown = [k for k in report.top_k_srcc if k & (k - 1) == 0 or k == max(report.top_k_srcc)]
    values = ((k, report.top_k_srcc[k]) for k in shown)
    console.print(
        "SRCC of the ranking from the first K contents per pair: "
        + ", ".join(f"K={k} " + ("none" if srcc is None else f"{srcc:.3f}") for k, srcc in values)
    )
    flagged = [observer for observer in report.observers if observer.flagged]
    if flagged:
        _write_observers(console, flagged)


def _write_observers(console: Any, observers: list[ObserverReport]) -> None:
    from rich.table import Table

    table = Table(
        "observer", "votes", "log-lik.", "z", "failed", "inconsistent", "twice", title="to look at"
    )
    for o in observers:
        table.add_row(
            visible(o.name),
            str(o.n_votes),
            "" if o.log_likelihood is None else f"{o.log_likelihood:.3f}",
            "" if o.z is None else f"{o.z:+.1f}" + (" disagrees" if o.disagrees else ""),
            f"{o.n_failed}/{o.n_obvious}",
            f"{o.n_inconsistent}/{o.n_repeats - o.n_unmatched}",
            str(o.n_duplicates),
        )
    console.print(table)


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
    names = [visible(name) for name in report.methods]
    scores.set_yticks(places, names, parse_math=False)  # `$` is no formula
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
    rates.set_xticks(places, names, rotation=90, parse_math=False)
    rates.set_yticks(places, names, parse_math=False)
    rates.set_title("Win rate of the row against the column")
    figure.colorbar(image, ax=rates, shrink=0.8)
    if n <= MOST_NUMBERS:
        for i, j in np.argwhere(np.isfinite(report.win_rate)):
            rates.text(j, i, f"{report.win_rate[i, j]:.2f}", ha="center", va="center", fontsize=7)
    try:
        with replaced(path) as partial:
            figure.savefig(partial, format=path.suffix[1:] or "png", dpi=150)
    except SriqaError:
        raise
    except ValueError as error:  # the ending
        raise SriqaError(f"{path}: cannot write the plot: {error}") from None
