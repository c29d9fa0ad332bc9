"""The command `sriqa-calibrate features`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def features(
    base: Annotated[str, typer.Option(help="Name of a metric, or a weights file.")],
    store: Annotated[Path, typer.Option(help="Folder of cached codes, `data.features` of runs.")],
    sr: Annotated[Path | None, typer.Option(help="Folder of SR results, one per method.")] = None,
    ranking: Annotated[
        Path | None, typer.Option(help="CSV method,mu; by default ranking.csv of --sr.")
    ] = None,
    labelled: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=DIR", help="A set with MOS; may be repeated."),
    ] = None,
    draws: Annotated[int, typer.Option(min=0, help="Random draws of every image.")] = 8,
    crops: Annotated[int, typer.Option(min=1, help="Windows of a draw.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Crops in one pass; by default what is fast.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Cache the codes that stage 2 trains on; what is cached already is not computed again.

    Progress goes to stderr. A stopped or killed run goes on when it is started again.
    """
    import time

    from ..errors import SriqaError
    from ..weights import load_source
    from .datasets import read_sr_results
    from .feature_store import FeatureStore
    from .labelled import read_labelled, require_images

    paths: list[Path] = []
    if sr is not None:
        found = read_sr_results(sr, ranking or sr / "ranking.csv")
        paths += [path for method in found.methods for path in found.images(method)]
    for given in labelled or ():
        kind, equals, root = given.partition("=")
        if not equals:
            raise SriqaError(f"--labelled: {given!r} is not KIND=DIR")
        images = read_labelled(kind, Path(root))
        require_images(images.name, images.paths)
        paths += images.paths
    if not paths:
        raise typer.BadParameter("give --sr or --labelled, there is nothing to cache")
    cache = FeatureStore(store, load_source(base, device), draws, crops, seed, batch_size)
    start = time.monotonic()
    try:
        new = cache.fill(paths)
    except KeyboardInterrupt:
        print("sriqa-calibrate: stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    seconds = time.monotonic() - start
    print(
        f"{cache.folder}: {len(paths)} images, {new} new, {seconds:.1f} s, "
        f"{new / seconds:.1f} images/s, {cache.size()} bytes"
    )
