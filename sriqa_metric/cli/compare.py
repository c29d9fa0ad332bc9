"""`sriqa-compare`: which SR method is better, as far as metrics can tell."""

from __future__ import annotations

import shlex
import sys
from functools import partial
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
    Output,
    Threads,
    Version,
    Weights,
    Workers,
    device_of,
    opened,
    refuse,
    refuse_plot,
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
        list[str],
        typer.Argument(
            metavar="[NAME=]DIR…", help="Of each method the folder of its results, or a pattern."
        ),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[,NAME…]",
            help="Ours (sriqa-score --list; by default sriqa_lite), a weights file, or pyiqa's "
            "(pyiqa -ls), of which psnr and ssimc compare RGB, psnry and ssim luma.",
        ),
    ] = None,
    gt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SET=]DIR",
            help="Ground truth, for metrics that need it: a folder or pattern; may be repeated.",
        ),
    ] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            help="CSV of scores made elsewhere: path,score[,metric,higher_is_better]; may be "
            "repeated."
        ),
    ] = None,
    format: Format[Literal["table", "csv", "json", "md", "latex"]] = "table",
    output: Output = None,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Add ± half of the 95 % interval to means.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with charts and pictures, too.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a figure for a paper (.pdf, .png, .svg), too.")
    ] = None,
    suffix: Annotated[
        str, typer.Option(help="Drop this from the end of names, before the extension.")
    ] = "",
    clips: Annotated[
        bool, typer.Option("--clips", help="Images are frames: <clip>/<frame>.png.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which files are matched and stop.")
    ] = False,
    cache: Annotated[
        Path | None, typer.Option(help="SQLite file of scores; by default in the user's cache.")
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

    Subfolders are entered by a pattern, 'results/**/*.png'. Scores are kept in a cache, so a
    stopped comparison goes on, and one more metric costs only itself. Exit status: 0 all scored,
    1 some files failed (their contents are left out), 2 wrong usage or nothing to compare.
    """
    from ..compare.listing import summary, write_listing
    from ..compare.matching import find_results
    from ..scorers.cache import default_cache

    # What is wrong with the arguments is told before any network is loaded.
    results = find_results(methods, gt=gt or (), suffix=suffix, clips=clips)
    if dry_run:
        write_listing(results, sys.stdout)
        return
    if sys.stderr.isatty():
        say(NAME, summary(results))
    kept = cache or default_cache()
    used: list[str | Path] = [file for one in results for file in one.files]
    used += [*(scores or ()), kept, *([weights] if weights else [])]
    for page, check in ((report, refuse), (plot, refuse_plot)):
        if page:
            check(page, [*used, *([output] if output else [])])
            used.append(page)
    with opened(output, used) as stream:
        from ..compare.output import write_comparisons
        from ..compare.run import compare_all
        from ..scorers.make import make_scorers, split_names
        from ..scorers.options import Options
        from .progress import tracked

        names = split_names(metric or ([] if scores else [DEFAULT_METRIC]))
        options = Options(str(device_of(device, threads)), batch_size, workers, max_pixels)
        scorers = make_scorers(names, scores or (), options, references=bool(gt), weights=weights)
        found = compare_all(scorers, results, kept, tracked)
        for line in dict.fromkeys(failure.error for failure in found.failed):
            say(NAME, line)
        write_comparisons(found, format, stream, intervals)
        if report:
            from ..compare.report import write_report
            from ..images import MAX_PIXELS
            from ..scorers.ours import OurScorer

            ours = [one.metric for one in scorers if isinstance(one, OurScorer)]
            limit = max_pixels or MAX_PIXELS
            quality_map = partial(ours[0].quality_map, max_pixels=limit) if ours else None
            command = shlex.join([NAME, *sys.argv[1:]])
            write_report(found, report, command, quality_map, max_pixels)
        if plot:
            from ..compare.plot import write_plot

            write_plot(found, plot)
    if found.failed:
        total = sum(len(one.methods) * len(one.contents) for one in results)
        say(NAME, f"{len({failure.path for failure in found.failed})} of {total} failed")
        raise typer.Exit(1)


def main() -> None:
    """Entry point of `sriqa-compare`."""
    run(app, NAME)


if __name__ == "__main__":
    main()
