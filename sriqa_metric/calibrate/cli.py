"""`sriqa-calibrate`: from SR results and a ranking to a calibrated metric."""

from __future__ import annotations

import sys

import typer

from ..errors import SriqaError
from .evaluation.cli import evaluate
from .ranking.cli import rank
from .release.cli import export, publish
from .selection.cli import select
from .study.cli import study, votes
from .training.cli import adapt, features, holdout, reproduce, train, train_quality_model

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def calibrate() -> None:
    """From SR results and a ranking of their methods to a calibrated metric."""


for command in (
    *(select, study, votes, rank),
    *(adapt, train_quality_model, features, train, reproduce, holdout),
    *(evaluate, export, publish),
):
    app.command()(command)


def main() -> None:
    """Entry point of `sriqa-calibrate`; an error of the user's is one line and exit status 2."""
    try:
        app()
    except SriqaError as error:
        print(f"sriqa-calibrate: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
