"""Commands of `sriqa-calibrate` that train: both stages, the codes between them, and the whole."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...cli.common import (
    AUTO,
    BatchSize,
    Device,
    OutputFolder,
    SkipIncomplete,
    device_of,
    make_folder,
    note,
)
from ...files import listed
from ...names import counted

if TYPE_CHECKING:
    from ..config import RunConfig

Config = Annotated[str, typer.Argument(help="Name of a shipped config, or a TOML file.")]
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
HoldoutMethods = Annotated[
    str, typer.Option(metavar="NAME[,NAME…]", help="Methods that are not trained on.")
]


def train_quality_model(
    config: Config,
    output: OutputFolder,
    override: Overrides = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    holdout_methods: HoldoutMethods = "",
    device: Device = AUTO,
) -> None:
    """Stage 1: train a quality model, and write it with a rectifier that changes nothing.

    Under `accelerate launch` several processes share the work.
    """
    from ..features.processes import first_process
    from .quality_runs import train_quality_model
    from .team import SharedError

    settings = _settings(config, override, "", exclude, skip_incomplete, holdout_methods)
    make_folder(output)
    try:
        figures = train_quality_model(settings, output, device_of(device))
    except SharedError:
        if first_process():
            raise
        raise typer.Exit(2) from None  # the first process tells it
    _print_figures(figures, output)


def train(
    config: Config,
    output: OutputFolder,
    base: Base = "",
    override: Overrides = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    holdout_methods: HoldoutMethods = "",
    device: Device = AUTO,
) -> None:
    """Stage 2: train the rectifier of a metric on cached codes, measure it, write its weights."""
    from .runs import train

    settings = _settings(config, override, base, exclude, skip_incomplete, holdout_methods)
    make_folder(output)
    _print_figures(train(settings, output, device_of(device)), output)


def adapt(
    base: Annotated[str, typer.Option(help="Weights file, or name of a metric, to start from.")],
    sr: Annotated[Path, typer.Option(help="Folder with one folder of results per method.")],
    ranking: Annotated[Path, typer.Option(help="CSV file method,mu, as `rank` writes it.")],
    output: OutputFolder,
    photos: Annotated[Path | None, typer.Option(help="Folder of pristine photos, if any.")] = None,
    labelled: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=DIR", help="Images with MOS, if any; may be repeated."),
    ] = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    holdout_methods: HoldoutMethods = "",
    device: Device = AUTO,
) -> None:
    """Calibrate a metric anew for your own methods: from folders and a ranking to weights."""
    from ..data.sr_results import read_sr_results
    from ..pipelines import adapted
    from .runs import train

    make_folder(output)
    config = adapted(base, sr, ranking, photos, exclude or (), skip_incomplete, labelled or ())
    found = read_sr_results(sr, ranking, exclude or (), skip_incomplete, skip_missing=True)
    if found.left_out:
        note(f"{sr} has no folder of {listed(found.left_out)}; left out of the ranking")
    config = _kept_out(config, methods=holdout_methods)
    _print_figures(train(config, output, device_of(device)), output)


def reproduce(
    koniq: Annotated[Path, typer.Option(help="Folder of KonIQ-10k.")],
    pipal: Annotated[Path, typer.Option(help="Folder of PIPAL.")],
    sr: Annotated[Path, typer.Option(help="Folder of SR results, with ranking.csv.")],
    realsr1k: Annotated[Path, typer.Option(help="Folder of RealSR-1K: votes and images.")],
    output: OutputFolder,
    metric: Annotated[str, typer.Option(help="Name of a shipped config.")] = "sriqa_clip",
    override: Overrides = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    device: Device = AUTO,
) -> None:
    """The paper's calibration: both stages, the evaluation, and the weights file."""
    from ..config import load_config
    from ..pipelines import reproduce

    config = load_config(metric, [*(override or []), f"data.sr={sr}"])
    config = _kept_out(config, exclude, skip_incomplete)
    make_folder(output)
    print(reproduce(config, koniq, pipal, realsr1k, output, device_of(device)))


def features(
    config: Config,
    store: Annotated[Path, typer.Option(help="Folder of cached codes: `data.features` of runs.")],
    base: Base = "",
    override: Overrides = None,
    exclude: Exclude = None,
    skip_incomplete: SkipIncomplete = False,
    holdout_methods: HoldoutMethods = "",
    batch_size: BatchSize = None,
    device: Device = AUTO,
) -> None:
    """Cache the codes that `train` reads with the same settings, once for many runs.

    What is cached already is not computed again, so a stopped run goes on. Of several processes
    that a launcher started (RANK of WORLD_SIZE in the environment), each computes its part.
    Progress goes to stderr.
    """
    from ..data.splits import read_data
    from ..features.processes import launched, own_device
    from .runs import base_metric, cached_images, feature_store

    settings = _settings(config, override, base, exclude, skip_incomplete, holdout_methods)
    make_folder(store)
    images = cached_images(read_data(settings))
    process, processes = launched()
    metric = base_metric(settings, own_device(device_of(device)))
    cache = feature_store(settings, metric, store, batch_size)
    start = time.monotonic()
    new = cache.fill(images, process, processes)
    seconds = time.monotonic() - start
    part = f"part {process} of {processes}: " if processes > 1 else ""
    print(
        f"{cache.folder}: {part}{counted(len(images), 'image')}, {new} new, {seconds:.1f} s, "
        f"{new / seconds:.1f} images/s, {cache.size()} bytes"
    )


def _print_figures(figures: dict[str, dict[str, float]], output: Path) -> None:
    if not figures:
        return  # of several processes, the first tells them
    for remark in json.loads((output / "report.json").read_text(encoding="utf-8"))["notes"]:
        note(remark)
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
