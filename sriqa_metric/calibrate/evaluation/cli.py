"""The command `sriqa-calibrate evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ...cli.common import AUTO, Bootstrap, Device, Format, Output, Seed, device_of, note, opened
from ..config import RESAMPLES


def evaluate(
    dataset: Annotated[
        list[str],
        typer.Option(metavar="NAME=ROOT", help="A data set and its folder; may be repeated."),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,NAME…]",
            help="Ours, NAME:uncalibrated, or one of pyiqa's.",
        ),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="CSV of scores made elsewhere: path,score[,metric].")
    ] = None,
    contents: Annotated[
        Path | None, typer.Option(help="For `ranked`: the contents to take, one name a line.")
    ] = None,
    format: Format[Literal["table", "json", "csv", "md"]] = "table",
    output: Output = None,
    bootstrap: Bootstrap = RESAMPLES,
    seed: Seed = 0,
    cache: Annotated[
        Path | None, typer.Option(help="SQLite file of scores; by default in the user's cache.")
    ] = None,
    device: Device = AUTO,
) -> None:
    """Compare metrics with people: the paper's tables, for any metric, with 95 % intervals.

    NAME is realsr1k, sriqa-bench, qads, ma17, koniq10k, biq2021, kadid10k, pipal, mos, pairs or
    ranked.
    Scores are kept in a cache, so a stopped evaluation goes on. Figures go to stdout, notes to
    stderr.
    """
    inputs: list[str | Path] = [path for path in (scores, contents, cache) if path]
    inputs += [name for given in metric or () for name in given.split(",") if Path(name).is_file()]
    inputs += [root for _, given, root in (each.partition("=") for each in dataset) if given]
    with opened(output, inputs) as stream:
        from ...scorers.cache import default_cache
        from .report import write_report
        from .run import Request, evaluate

        request = Request(
            metrics=tuple(name for given in metric or () for name in given.split(",") if name),
            data_sets=tuple(dataset),
            cache=cache or default_cache(),
            scores=scores,
            contents=contents,
            device=str(device_of(device)),
            resamples=bootstrap,
            seed=seed,
        )
        rows, notes = evaluate(request)
        for each in notes:
            note(each)
        write_report(rows, notes, format, stream)
