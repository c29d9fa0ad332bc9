"""The command `sriqa-calibrate rank`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ...cli.common import Bootstrap, Format, Seed, note, refuse_plot, told
from ...errors import SriqaError
from ...names import counted
from ..config import RESAMPLES, VOTES_PER_PAIR


def rank(
    votes: Annotated[
        Path, typer.Argument(metavar="VOTES.csv", help="RealSR-1K's schema, or one vote a line.")
    ],
    format: Format[Literal["table", "json", "csv"]] = "table",
    bootstrap: Bootstrap = RESAMPLES,
    prior_variance: Annotated[
        float | None, typer.Option(help="Variance of a Gaussian prior on every score.")
    ] = None,
    votes_per_pair: Annotated[
        int, typer.Option(min=1, help="Votes that the fractions of RealSR-1K's schema are of.")
    ] = VOTES_PER_PAIR,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="OBSERVER", help="Leave out this observer; may be repeated."),
    ] = None,
    seed: Seed = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Picture to write: ranking, stability and win rates.")
    ] = None,
) -> None:
    """Rank SR methods by votes: Thurstone's model, fitted by maximum likelihood.

    The ranking goes to stdout, notes to stderr; `--format csv` writes what `train` reads. Without
    resamples the intervals are asymptotic.
    Exit status: 0 ranked, 1 the votes give no ranking (the message says why), 2 wrong usage.
    """
    if prior_variance is not None and not 0 < prior_variance < float("inf"):
        raise SriqaError(f"--prior-variance is {prior_variance}; it must be positive")
    if plot is not None:
        refuse_plot(plot, [votes])
    # The matrices are small: threads of the linear algebra would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ..data.vote_files import read_votes
    from .observers import without
    from .output import plot_ranking, write_report
    from .report import rank_votes

    with told("sriqa-calibrate", 1):
        found = read_votes(votes, votes_per_pair)
        if exclude:
            kept = without(found, exclude)
            n, votes_given = len(found.total) - len(kept.total), counted(len(found.total), "vote")
            note(f"left out {n} of {votes_given}, those of {', '.join(exclude)}")
            found = kept
        report = rank_votes(found, bootstrap, prior_variance, seed)
    write_report(report, format, sys.stdout)
    for each in report.notes:
        note(each)
    if plot is not None:
        plot_ranking(report, plot)
