"""`sriqa-compare`: which SR method is better, as far as a metric can tell."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..registry import DEFAULT_METRIC
from .common import (
    AUTO,
    CONTEXT,
    BatchSize,
    Device,
    Format,
    MaxPixels,
    Metric,
    Output,
    Threads,
    Version,
    Weights,
    Workers,
    device_of,
    opened,
    refuse,
    run,
    say,
    told,
)

NAME = "sriqa-compare"
app = typer.Typer(add_completion=False)


@app.command(context_settings=CONTEXT)
@told(NAME)
def compare(
    methods: Annotated[
        list[str], typer.Argument(help="Of each method the folder of its results, or a pattern.")
    ],
    metric: Metric = DEFAULT_METRIC,
    format: Format[Literal["table", "csv", "json", "md", "latex"]] = "table",
    output: Output = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with charts and pictures, too.")
    ] = None,
    device: Device = AUTO,
    batch_size: BatchSize = None,
    workers: Workers = None,
    threads: Threads = None,
    max_pixels: MaxPixels = None,
    weights: Weights = None,
    version: Version = False,
) -> None:
    """Compare SR methods by the scores of their results, matched by content.

    Subfolders are entered by a pattern, 'results/**/*.png'. Exit status: 0 all scored, 1 some
    files failed (their contents are left out), 2 wrong usage or nothing to compare.
    """
    from ..compare.matching import find_results

    # What is wrong with the arguments is told before the network is loaded.
    results = find_results(methods)
    inputs = [*results.files, *([str(weights)] if weights else [])]
    if report:
        refuse(report, [*inputs, *([output] if output else [])])
    with opened(output, inputs) as stream:
        from ..compare.output import write_comparison
        from ..compare.report import write_report
        from ..compare.run import compare_results
        from ..weights.load import load
        from .progress import tracked

        model = load(metric, weights, device_of(device, threads))
        comparison = compare_results(
            model, results, batch_size, workers, lambda files: tracked(files, "scoring"), max_pixels
        )
        for failure in comparison.failed:
            say(NAME, failure.error)
        write_comparison(comparison, format, stream)
        if report:
            write_report(comparison, report, shlex.join([NAME, *sys.argv[1:]]))
    if comparison.failed:
        total = len(results.methods) * len(results.contents)
        say(NAME, f"{len(comparison.failed)} of {total} failed")
        raise typer.Exit(1)


def main() -> None:
    """Entry point of `sriqa-compare`."""
    run(app)


if __name__ == "__main__":
    main()
