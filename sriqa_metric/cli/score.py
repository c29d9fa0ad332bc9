"""`sriqa-score`: scores of image files on the terminal."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ..errors import SriqaError
from .paths import Item, expand

if TYPE_CHECKING:
    from ..compare.matching import Results
    from ..metric import CalibratedMetric


class Format(str, Enum):
    """How results are written."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    md = "md"
    latex = "latex"


class Device(str, Enum):
    """Where the network runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


app = typer.Typer(add_completion=False)


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def score(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, globs; - reads a list of paths from stdin."),
    ] = None,
    metric: Annotated[str, typer.Option(help="Name of the metric; see --list.")] = "sriqa_lite",
    format: Annotated[Format, typer.Option(help="How to write the results.")] = Format.table,
    output: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Enter subfolders.")] = False,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.auto,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Crops in one pass; by default what is fast.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that decode; by default what is fast.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Use this weights file.")] = None,
    map_: Annotated[
        Path | None,
        typer.Option("--map", help="Of one image: draw here where quality drops; .csv: values."),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Each argument is one method's folder or pattern: compare."),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="With --compare: write a page with charts and pictures.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the metrics and stop.")] = False,
) -> None:
    """Score super-resolved images without a reference. Higher is better.

    Exit status: 0 all scored, 1 some files failed (the others are scored), 2 wrong usage.
    """
    if list_:
        _print_metrics()
        return
    if compare:
        _check_comparison(format, recursive, map_, report)
    elif report or format in (Format.md, Format.latex):
        raise typer.BadParameter("--report and the formats md and latex go with --compare")
    elif not paths:
        raise typer.BadParameter("give at least one file or folder, or - for a list on stdin")
    with _told():
        # What is wrong with the arguments is told before the network is loaded.
        results = _results(paths) if compare else None
        items = [] if results else list(expand(paths or [], recursive))
        if map_ and len(items) != 1:
            raise typer.BadParameter(f"--map is for one image, not {len(items)}")
        from ..weights.load import load

        model = load(metric, weights, _device(device))
        with _opened(output) as stream:
            if results:
                failed = _compare(model, results, format, stream, report, batch_size, workers)
            else:
                failed = _score(model, items, format, stream, batch_size, workers)
                if map_ and not failed:
                    _write_map(model, items[0].path, map_, batch_size)
    if failed:
        total = len(results.methods) * len(results.contents) if results else len(items)
        _say(f"{failed} of {total} failed")
        raise typer.Exit(1)


def _check_comparison(
    format: Format, recursive: bool, map_: Path | None, report: Path | None
) -> None:
    if format is Format.jsonl:
        raise typer.BadParameter("--compare writes table, csv, json, md or latex")
    if recursive:
        raise typer.BadParameter("--compare enters subfolders by a pattern: 'results/**/*.png'")
    if map_:
        raise typer.BadParameter("--map is for one image, --compare for several methods")
    if report and not report.parent.is_dir():
        raise typer.BadParameter(f"--report: no folder {report.parent}")


def _results(patterns: list[str] | None) -> Results:
    from ..compare.matching import find_results

    return find_results(patterns or [])


def _compare(
    model: CalibratedMetric,
    results: Results,
    format: Format,
    stream: TextIO,
    report: Path | None,
    batch_size: int | None,
    workers: int | None,
) -> int:
    """Compare methods and write how; returns how many images failed, each named on stderr."""
    from ..compare.output import write_comparison
    from ..compare.report import write_report
    from ..compare.run import compare_results
    from .progress import tracked

    comparison = compare_results(
        model, results, batch_size, workers, lambda files: tracked(files, "scoring")
    )
    for failure in comparison.failed:
        _say(failure.error)
    write_comparison(comparison, format.value, stream)
    if report:
        write_report(comparison, report, shlex.join(["sriqa-score", *sys.argv[1:]]))
    return len(comparison.failed)


def _score(
    model: CalibratedMetric,
    items: list[Item],
    format: Format,
    stream: TextIO,
    batch_size: int | None,
    workers: int | None,
) -> int:
    """Score every item and write it; returns how many failed, each named on stderr."""
    from ..scoring import score_stream
    from .output import WRITERS
    from .progress import tracked

    writer = WRITERS[format.value](stream, model.name, model.weights_id)
    results = score_stream(
        model, (item.path for item in items if not item.problem), batch_size, workers
    )
    failed = 0
    for item in tracked(items, "scoring"):
        result = SriqaError(f"{item.path}: {item.problem}") if item.problem else next(results)
        if isinstance(result, SriqaError):
            failed += 1
            _say(result)
            writer.failed(item.path, str(result))
        else:
            writer.scored(item.path, result)
    writer.close()
    return failed


def _write_map(model: CalibratedMetric, image: str, path: Path, batch_size: int | None) -> None:
    """Write the quality map of an image: its values if the path ends in .csv, else a picture."""
    from ..map_picture import draw_map, write_map_csv
    from ..quality_map import quality_map
    from .progress import tracked

    found = quality_map(model, image, batch_size, lambda batches: tracked(batches, "mapping"))
    if path.suffix.lower() == ".csv":
        write_map_csv(found, path)
    else:
        draw_map(found, image, path)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        # Names that are no text (bytes of another encoding) are written as they are.
        stream = output.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise SriqaError(f"{output}: cannot be written: {error.strerror}") from None
    with stream:
        yield stream


@contextmanager
def _told() -> Iterator[None]:
    """One line and an exit status for what ends the command."""
    try:
        yield
    except SriqaError as error:
        _say(error)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        _say("stopped")
        raise typer.Exit(130) from None


def _device(device: Device) -> str:
    if device is not Device.auto:
        return device.value
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _print_metrics() -> None:
    from ..registry import CATALOG

    for spec in CATALOG.values():
        if spec.bundled:
            status = "weights in the package"
        elif spec.released:
            status = f"weights on the Hub, {spec.released.repo}"
        else:
            status = "weights not released, give --weights"
        print(f"{spec.name}: {spec.summary} ({status})")


def _say(message: object) -> None:
    print(f"sriqa-score: {message}", file=sys.stderr)


def main() -> None:
    """Entry point of `sriqa-score`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    app()


if __name__ == "__main__":
    main()
