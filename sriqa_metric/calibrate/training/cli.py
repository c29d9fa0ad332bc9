"""Commands of `sriqa-calibrate` that train: both stages, the codes between them, and the whole."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..config import RunConfig

Config = Annotated[str, typer.Argument(help="Name of a shipped config, or a TOML file.")]
Output = Annotated[Path, typer.Option(help="Folder of the run; a stopped run in it goes on.")]
Base = Annotated[
    str, typer.Option(help="Weights file, or name of a metric, whose quality model to take.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, e.g. data.sr=DIR."),
]
Exclude = Annotated[
    list[Path] | None,
    typer.Option(help="Folder of test images, whose contents are left out; may be repeated."),
]
SkipIncomplete = Annotated[
    bool, typer.Option("--skip-incomplete", help="Leave out contents that some method lacks.")
]
HoldoutMethods = Annotated[
    str, typer.Option(metavar="NAME[,NAME…]", help="Methods that are not trained on.")
]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]


def train_quality_model(
    config: Config,
    output: Output,
    override: Overrides = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    holdout_methods: HoldoutMethods = "",
    device: Device = "cpu",
) -> None:
    """Stage 1: train a quality model, and write it with a rectifier that changes nothing."""
    from ...weights.load import find_device
    from .quality_runs import train_quality_model

    settings = _settings(config, override, "", exclude, skip_incomplete, holdout_methods)
    _print_figures(train_quality_model(settings, output, find_device(device)), output)


def train(
    config: Config,
    output: Output,
    base: Base = "",
    override: Overrides = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    holdout_methods: HoldoutMethods = "",
    device: Device = "cpu",
) -> None:
    """Stage 2: train the rectifier of a metric on cached codes, measure it, write its weights."""
    from ...weights.load import find_device
    from .runs import train

    settings = _settings(config, override, base, exclude, skip_incomplete, holdout_methods)
    _print_figures(train(settings, output, find_device(device)), output)


def adapt(
    base: Annotated[str, typer.Option(help="Weights file, or name of a metric, to start from.")],
    sr: Annotated[Path, typer.Option(help="Folder with one folder of results per method.")],
    ranking: Annotated[Path, typer.Option(help="CSV file method,mu, as `rank` writes it.")],
    output: Output,
    photos: Annotated[Path | None, typer.Option(help="Folder of pristine photos, if any.")] = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    holdout_methods: HoldoutMethods = "",
    device: Device = "cpu",
) -> None:
    """Calibrate a metric anew for your own methods: from folders and a ranking to weights."""
    from ...weights.load import find_device
    from ..pipelines import adapted
    from .runs import train

    config = adapted(base, sr, ranking, photos, exclude or (), skip_incomplete)
    config = _kept_out(config, methods=holdout_methods)
    _print_figures(train(config, output, find_device(device)), output)


def reproduce(
    koniq: Annotated[Path, typer.Option(help="Folder of KonIQ-10k.")],
    pipal: Annotated[Path, typer.Option(help="Folder of PIPAL.")],
    sr: Annotated[Path, typer.Option(help="Folder of SR results, with ranking.csv.")],
    realsr1k: Annotated[Path, typer.Option(help="Folder of RealSR-1K: votes and images.")],
    output: Annotated[Path, typer.Option(help="Folder; what was stopped in it goes on.")],
    metric: Annotated[str, typer.Option(help="Name of a shipped config.")] = "sriqa_clip",
    override: Overrides = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    device: Device = "cuda",
) -> None:
    """The paper's calibration: both stages, the evaluation, and the weights file."""
    from ...weights.load import find_device
    from ..config import load_config
    from ..pipelines import reproduce

    config = load_config(metric, [*(override or []), f"data.sr={sr}"])
    config = _kept_out(config, exclude, skip_incomplete)
    print(reproduce(config, koniq, pipal, realsr1k, output, find_device(device)))


def features(
    config: Config,
    store: Annotated[Path, typer.Option(help="Folder of cached codes: `data.features` of runs.")],
    base: Base = "",
    override: Overrides = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    holdout_methods: HoldoutMethods = "",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Crops in one pass; by default what is fast.")
    ] = None,
    device: Device = "cpu",
) -> None:
    """Cache the codes that `train` reads with the same settings, once for many runs.

    What is cached already is not computed again, so a stopped run goes on. Progress goes to stderr.
    """
    from ...weights.load import find_device
    from ..data.splits import read_data
    from .runs import base_metric, cached_images, feature_store

    settings = _settings(config, override, base, exclude, skip_incomplete, holdout_methods)
    images = cached_images(read_data(settings))
    metric = base_metric(settings, find_device(device))
    cache = feature_store(settings, metric, store, batch_size)
    start = time.monotonic()
    try:
        new = cache.fill(images)
    except KeyboardInterrupt:
        print("sriqa-calibrate: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    seconds = time.monotonic() - start
    print(
        f"{cache.folder}: {len(images)} images, {new} new, {seconds:.1f} s, "
        f"{new / seconds:.1f} images/s, {cache.size()} bytes"
    )


def holdout(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs made by `train`.")],
    output: Annotated[Path, typer.Option(help="Markdown file to write.")],
) -> None:
    """Put the held-out figures of several runs into one table."""
    from .holdout import write_table

    write_table(runs, output)


def _print_figures(figures: dict[str, dict[str, float]], output: Path) -> None:
    for variant, found in figures.items():
        print(variant, *(f"{name}={value:.4f}" for name, value in found.items()))
    print(output / "weights.safetensors")


def _settings(
    config: str,
    override: list[str] | None,
    base: str,
    exclude: list[Path] | None,
    skip_incomplete: bool,
    methods: str,
) -> RunConfig:
    from ..config import load_config

    overrides = [*(override or []), *([f"base={base}"] if base else [])]
    return _kept_out(load_config(config, overrides), exclude, skip_incomplete, methods)


def _kept_out(
    config: RunConfig,
    exclude: list[Path] | None = None,
    skip_incomplete: bool = False,
    methods: str = "",
) -> RunConfig:
    """Settings with what the options keep out of training, beside what a config keeps out."""
    data, validation = config.data, config.validation
    data = replace(
        data,
        exclude=[*data.exclude, *map(str, exclude or ())],
        skip_incomplete=data.skip_incomplete or skip_incomplete,
    )
    names = [name for name in methods.split(",") if name]
    validation = replace(validation, methods=[*validation.methods, *names])
    return replace(config, data=data, validation=validation)
