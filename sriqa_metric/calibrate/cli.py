"""`sriqa-calibrate`: from SR results and a ranking to a calibrated metric."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import SriqaError

app = typer.Typer(add_completion=False, no_args_is_help=True)

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, e.g. data.sr=DIR."),
]


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def calibrate() -> None:
    """From SR results and a ranking of their methods to a calibrated metric."""


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="Name of a shipped config, or a TOML file.")],
    output: Annotated[Path, typer.Option(help="New folder of the run.")],
    override: Overrides = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train a metric: quality model, rectifier, figures on held-out data, weights file."""
    from ..weights import find_device
    from .config import load_config
    from .runs import train

    figures = train(load_config(config, override), output, find_device(device))
    for variant, found in figures.items():
        print(variant, *(f"{name}={value:.4f}" for name, value in found.items()))
    print(output / "weights.safetensors")


@app.command()
def holdout(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs made by `train`.")],
    output: Annotated[Path, typer.Option(help="Markdown file to write.")],
) -> None:
    """Put the held-out figures of several runs into one table."""
    from .holdout import write_table

    write_table(runs, output)


class RankFormat(str, Enum):
    """How a ranking is written."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command()
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
    from .rank_report import rank_votes, write_report
    from .votes import read_votes

    try:
        report = rank_votes(read_votes(votes, votes_per_pair), bootstrap, prior_variance, seed)
        write_report(report, format.value, sys.stdout)
        for note in report.notes:
            print(f"note: {note}", file=sys.stderr)
        if plot is not None:
            from .plots import plot_ranking

            plot_ranking(report, plot)
    except SriqaError as error:
        print(f"sriqa-calibrate: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def main() -> None:
    """Entry point of `sriqa-calibrate`; an error of the user's is one line and exit status 2."""
    try:
        app()
    except SriqaError as error:
        print(f"sriqa-calibrate: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
