"""Commands of `sriqa-calibrate` that lead to a ranking: pairs, a study of them, its votes."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ...errors import SriqaError


class RankFormat(str, Enum):
    """How a ranking is written."""

    table = "table"
    json = "json"
    csv = "csv"


def rank(
    votes: Annotated[
        Path, typer.Argument(metavar="VOTES.csv", help="RealSR-1K's schema, or one vote a line.")
    ],
    format: Annotated[RankFormat, typer.Option(help="How to write it.")] = RankFormat.table,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Resamples for the intervals; 0: asymptotic intervals.")
    ] = 1000,
    prior_variance: Annotated[
        float | None, typer.Option(help="Variance of a Gaussian prior on every score.")
    ] = None,
    votes_per_pair: Annotated[
        int, typer.Option(min=1, help="Votes that the fractions of RealSR-1K's schema are of.")
    ] = 23,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Picture to write: ranking, stability and win rates.")
    ] = None,
) -> None:
    """Rank SR methods by votes: Thurstone's model, fitted by maximum likelihood.

    The ranking goes to stdout, notes to stderr; `--format csv` writes what `train` reads.
    Exit status: 0 ranked, 1 the votes give no ranking (the message says why), 2 wrong usage.
    """
    if prior_variance is not None and not 0 < prior_variance < float("inf"):
        raise typer.BadParameter(f"{prior_variance} is not positive", param_hint="--prior-variance")
    # The matrices are small: threads of the linear algebra would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ..data.vote_files import read_votes
    from .output import plot_ranking, write_report
    from .report import rank_votes

    try:
        report = rank_votes(read_votes(votes, votes_per_pair), bootstrap, prior_variance, seed)
        write_report(report, format.value, sys.stdout)
        for note in report.notes:
            print(f"note: {note}", file=sys.stderr)
        if plot is not None:
            plot_ranking(report, plot)
    except SriqaError as error:
        print(f"sriqa-calibrate: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
