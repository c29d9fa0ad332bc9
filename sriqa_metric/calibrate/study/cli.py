"""The commands `sriqa-calibrate study` and `sriqa-calibrate votes`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ...cli.common import OutputFile, refuse
from ...names import counted
from ..config import STUDY_HOST, STUDY_PORT
from .assignment import Settings


def study(
    pairs: Annotated[Path, typer.Argument(help="CSV file of pairs, as `select` writes it.")],
    images: Annotated[Path, typer.Option(help="Folder that the images' paths are relative to.")],
    db: Annotated[Path, typer.Option(help="SQLite file; a study that is in it is continued.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = STUDY_HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = STUDY_PORT,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name of a host by which browsers reach the study; may be repeated."),
    ] = None,
    admin_token: Annotated[
        str | None,
        typer.Option(
            envvar="SRIQA_ADMIN_TOKEN", help="Opens the experimenter's page; by default a new one."
        ),
    ] = None,
    trials_per_subject: Annotated[
        int | None, typer.Option(help="Pairs that each subject sees; by default all.")
    ] = Settings.trials,
    tie: Annotated[
        bool, typer.Option("--tie", help="Allow the answer `no difference`.")
    ] = Settings.tie,
    repeat_rate: Annotated[
        float, typer.Option(help="Repeated pairs, per pair.")
    ] = Settings.repeat_rate,
    obvious_rate: Annotated[
        float, typer.Option(help="Obvious pairs, per pair.")
    ] = Settings.obvious_rate,
    training: Annotated[
        int, typer.Option(help="Practice trials at the start.")
    ] = Settings.training,
) -> None:
    """Collect votes: serve the page of a 2AFC study until Ctrl-C (or SIGTERM, SIGHUP)."""
    from .serve import serve

    settings = Settings(trials_per_subject, tie, repeat_rate, obvious_rate, training)
    serve(pairs, images, db, host, port, admin_token, settings, name or ())


def votes(
    db: Annotated[Path, typer.Argument(help="SQLite file of a study; it may be running.")],
    output: OutputFile,
    schema: Annotated[
        Literal["tidy", "realsr1k"],
        typer.Option(help="tidy: one line per vote; realsr1k: one line per pair."),
    ] = "tidy",
) -> None:
    """Write the votes of a study to a CSV file."""
    refuse(output, [db, f"{db}-wal", f"{db}-shm"])
    from .export import export_votes

    print(f"{output}: {counted(export_votes(db, output, schema), 'line')}", file=sys.stderr)
