"""`sriqa-score`: scores of image files on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from ..errors import SriqaError
from ..image_paths import Item
from ..registry import DEFAULT_METRIC
from .common import (
    AUTO,
    CONTEXT,
    BatchSize,
    Device,
    Format,
    MaxPixels,
    Metric,
    Threads,
    Version,
    Weights,
    Workers,
    device_of,
    opened,
    refuse_plot,
    run,
    say,
    told,
)
from .paths import expand, given

if TYPE_CHECKING:
    from ..images import ImageLike
    from ..metric import CalibratedMetric

NAME = "sriqa-score"
app = typer.Typer(add_completion=False)


@app.command(context_settings=CONTEXT)
@told(NAME)
def score(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, globs; - reads paths from stdin, one a line."),
    ] = None,
    metric: Metric = DEFAULT_METRIC,
    format: Format[Literal["table", "csv", "json", "jsonl"]] = "table",
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Write here instead of stdout; with --ray a folder or its URI."
        ),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Enter subfolders.")] = False,
    device: Device = AUTO,
    batch_size: BatchSize = None,
    workers: Workers = None,
    threads: Threads = None,
    max_pixels: MaxPixels = None,
    weights: Weights = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Score on Ray: local starts it here; auto, HOST:PORT. See docs/scale.md.",
        ),
    ] = None,
    gpus: Annotated[
        float, typer.Option(min=0, help="With --ray: GPUs of each worker, as 0.25; 0 is the CPU.")
    ] = 0,
    map_: Annotated[
        Path | None,
        typer.Option("--map", help="Of one image: draw here where quality drops; .csv: values."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the metrics and stop.")] = False,
    version: Version = False,
) -> None:
    """Score super-resolved images without a reference. Higher is better.

    Exit status: 0 all scored, 1 some files failed (the others are scored), 2 wrong usage.
    """
    if list_:
        _print_metrics()
        return
    if not paths:
        raise SriqaError("give at least one file or folder, or - for a list on stdin")
    if ray is not None:
        from .score_dataset import score_on_ray

        one_machine = {"--map": map_, "--batch-size": batch_size, "--format": format != "table"}
        for option, used in (one_machine | {"--device": device != AUTO}).items():
            if used:
                raise SriqaError(f"{option} is not for --ray; leave one of them out")
        if output is None:
            raise SriqaError("--ray writes a folder of Parquet files; name it: --output FOLDER")
        shared = {"recursive": recursive, "weights": weights, "max_pixels": max_pixels}
        own = {"workers": workers, "threads": threads, "gpus": gpus, "address": ray}
        score_on_ray(NAME, list(given(paths)), metric, output, shared | own)
        return
    if gpus:
        raise SriqaError("--gpus is of Ray workers; add --ray local, or set --device cuda")
    items = list(expand(paths, recursive))
    if map_ and len(items) != 1:
        raise SriqaError(f"--map is for one image, not {len(items)}")
    # What is wrong with the arguments is told before the network is loaded.
    file = Path(output) if output else None
    inputs: list[str | Path] = [*(item.path for item in items), *([weights] if weights else [])]
    if "-" in paths:
        inputs.append("/dev/stdin")  # the list, where it is a file
    if map_:
        refuse_plot(map_, [*inputs, *([file] if file else [])], (".csv",))
    with opened(file, inputs) as stream:
        from ..images import MAX_PIXELS, KeptImage
        from ..weights.load import load

        limit = max_pixels or MAX_PIXELS
        model = load(metric, weights, device_of(device, threads))
        images: list[ImageLike] = [item.path for item in items if not item.problem]
        if map_:  # read once for the score, the map and the picture
            images = [KeptImage(image) for image in images]
        scores = _score(model, items, images, format, stream, batch_size, workers, limit)
        if map_ and scores:
            _write_map(model, images[0], scores[0], map_, batch_size, limit)
    if failed := len(items) - len(scores):
        say(NAME, f"{failed} of {len(items)} failed")
        raise typer.Exit(1)


def _score(
    model: CalibratedMetric,
    items: list[Item],
    images: list[ImageLike],
    format: str,
    stream: TextIO,
    batch_size: int | None,
    workers: int | None,
    max_pixels: int,
) -> list[float]:
    """Score the items, whose images those without a problem are, and write them.

    Returns the scores; what failed is named on stderr.
    """
    from ..scoring import score_stream
    from .output import WRITERS, summary_of
    from .progress import tracked

    writer = WRITERS[format](stream, model.name, model.weights_id)
    results = score_stream(model, images, batch_size, workers, max_pixels)
    scores: list[float] = []
    for item in tracked(items, "scoring"):
        result = SriqaError(f"{item.path}: {item.problem}") if item.problem else next(results)
        if isinstance(result, SriqaError):
            say(NAME, result)
            writer.failed(item.path, str(result))
        else:
            scores.append(result)
            writer.scored(item.path, result)
    writer.close(summary_of(scores))
    return scores


def _write_map(
    model: CalibratedMetric,
    image: ImageLike,
    score: float,
    path: Path,
    batch_size: int | None,
    max_pixels: int,
) -> None:
    """Write the quality map of an image: its values if the path ends in .csv, else a picture."""
    from ..map_picture import draw_map, write_map_csv
    from ..quality_map import quality_map
    from .progress import tracked

    found = quality_map(
        model, image, batch_size, lambda batches: tracked(batches, "mapping"), max_pixels, score
    )
    if path.suffix.lower() == ".csv":
        write_map_csv(found, path)
    else:
        draw_map(found, image, path)


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


def main() -> None:
    """Entry point of `sriqa-score`."""
    run(app, NAME)


if __name__ == "__main__":
    main()
