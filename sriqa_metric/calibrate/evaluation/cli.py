"""The command `sriqa-calibrate evaluate`."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Format(str, Enum):
    """How figures are written."""

    table = "table"
    json = "json"
    csv = "csv"
    md = "md"


def evaluate(
    dataset: Annotated[
        list[str],
        typer.Option(metavar="NAME=ROOT", help="A data set and its folder; may be repeated."),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[,NAME…]", help="Ours, NAME:uncalibrated, or one of pyiqa's."),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="CSV of scores made elsewhere: path,score[,metric].")
    ] = None,
    contents: Annotated[
        Path | None, typer.Option(help="For `ranked`: the contents to take, one name a line.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to write the figures.")] = Format.table,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here instead of stdout.")
    ] = None,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Resamples of contents for the intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    cache: Annotated[
        Path | None, typer.Option(help="SQLite file of scores; by default in the user's cache.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Compare metrics with people: the paper's tables, for any metric, with 95 % intervals.

    NAME is realsr1k, sriqa-bench, qads, ma17, koniq10k, kadid10k, pipal, mos, pairs or ranked.
    Scores are kept in a cache, so a stopped evaluation goes on. Figures go to stdout, notes to
    stderr.
    """
    from .report import write_report
    from .run import Request, evaluate
    from .score_cache import default_cache

    request = Request(
        metrics=tuple(name for given in metric or () for name in given.split(",") if name),
        data_sets=tuple(dataset),
        cache=cache or default_cache(),
        scores=scores,
        contents=contents,
        device=device,
        resamples=bootstrap,
        seed=seed,
    )
    try:
        rows, notes = evaluate(request)
    except KeyboardInterrupt:
        print("sriqa-calibrate: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if output is None:
        write_report(rows, notes, format.value, sys.stdout)
    else:
        with output.open("w", encoding="utf-8", newline="") as stream:
            write_report(rows, notes, format.value, stream)
