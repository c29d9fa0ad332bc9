"""`sriqa-calibrate`: from SR results and a ranking to a calibrated metric."""

from __future__ import annotations

import typer

from ..cli.common import CONTEXT, Version, run, told
from .evaluation.cli import evaluate
from .ranking.cli import rank
from .release.cli import export, publish
from .selection.cli import select
from .study.cli import study, votes
from .training.cli import adapt, features, reproduce, train, train_quality_model

NAME = "sriqa-calibrate"
app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback(context_settings=CONTEXT)
def calibrate(version: Version = False) -> None:
    """From SR results and a ranking of their methods to a calibrated metric."""


for command in (
    *(select, study, votes, rank),
    *(adapt, train_quality_model, features, train, reproduce),
    *(evaluate, export, publish),
):
    app.command()(told(NAME)(command))


def main() -> None:
    """Entry point of `sriqa-calibrate`."""
    run(app, NAME)


if __name__ == "__main__":
    main()
