"""A data set through a metric on Ray Data: files -> crops -> scores -> rows.

Three kinds of work, which Ray runs beside each other on all machines, with bounded queues between
them: tasks that read shards, tasks that decode and cut crops, and actors that hold the network. The
rows come back to the driver, which writes them. So memory holds what is under way, whatever the
number of images: apart from that the driver and the object store have the list of the files (the
shards, where images lie in shards) and 8 bytes of each image that was there before.

Ray runs again what a killed worker had not finished. The same files then give the same rows, of
which the driver gets each once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..errors import SriqaError
from ..image_paths import Item
from ..images import MAX_PIXELS
from ..registry import DEFAULT_METRIC
from ..weights.load import load
from .cluster import LOCAL, Workers, connected, scored
from .output import Output, among, digests
from .places import files_of, is_shard, is_uri, named

Track = Callable[[Iterable[str | None], int | None], Iterable[str | None]]
"""Passes on the error of each row, None where it has a score, of so many if that is known."""


@dataclass(frozen=True)
class DatasetScores:
    """What became of a data set.

    Parameters
    ----------
    scored : int
        Images that this run scored.
    failed : int
        Rows with an error that it wrote.
    skipped : int
        Rows that the output held before.
    """

    scored: int
    failed: int
    skipped: int


def score_dataset(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    metric: str = DEFAULT_METRIC,
    *,
    output: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    recursive: bool = False,
    workers: int | None = None,
    threads: int = 1,
    gpus: float = 0,
    max_pixels: int = MAX_PIXELS,
    address: str = LOCAL,
    track: Track = lambda errors, total: errors,
) -> DatasetScores:
    """Score images, however many, on the machines of a Ray cluster.

    Parameters
    ----------
    source : str or iterable of str
        Image files, folders, patterns, shards (Parquet with bytes of images, `.tar` of WebDataset),
        or URIs of them: `s3://`, `gs://`, `hf://`, and what else pyarrow and fsspec reach.
    metric : str
        Name of the metric.
    output : str
        Folder or URI that gets Parquet files with the columns `path`, `score` and `error` (one of
        them is null), `metric`, `weights`, `width` and `height`. Images that it holds already are
        skipped, so that a run that was stopped goes on.
    weights : path, optional
        A weights file, on the driver's machine.
    recursive : bool
        Enter subfolders.
    workers : int, optional
        Actors that hold the network; by default as many as the cluster has room for.
    threads : int
        Processors of each actor.
    gpus : float
        GPUs of each actor; 0.25 lets four share one, 0 scores on the CPU.
    max_pixels : int
        Larger images are errors.
    address : str
        `local` starts Ray on this machine for this call; `auto`, `HOST:PORT` or `ray://HOST:PORT`
        is a running cluster. Where Ray is connected already, that is used.
    track : callable, optional
        Goes through the rows as they come; a progress bar may watch here.

    Returns
    -------
    DatasetScores

    Raises
    ------
    SriqaError
        If Ray is not installed or not reached, for a metric or weights that cannot be had, for an
        output that holds something else, and for a source that means no images at all.
    """
    given = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    place = os.fspath(output)
    model = load(metric, weights)
    with Output(place, model.name, model.weights_id) as rows, connected(address):
        done = rows.done()
        items = _listed([os.fspath(path) for path in given], recursive, done, place)
        files = [item.path for item in items if not item.problem]
        table = scored(model, files, done, Workers.of(workers, threads, gpus), max_pixels)
        total = None if any(map(is_shard, files)) else len(items)
        failed = number = 0
        with closing(_written(rows, items, table)) as errors:
            for error in track(errors, total):
                number += 1
                failed += error is not None
    return DatasetScores(number - failed, failed, len(done))


def _listed(paths: Iterable[str], recursive: bool, done: np.ndarray, output: str) -> list[Item]:
    """What is meant and not done, each once, without the output itself."""
    own = f"{(output if is_uri(output) else os.path.abspath(output)).rstrip('/')}/"
    found = [
        item
        for path in paths
        for item in files_of(path, recursive)
        if not item.path.startswith(own)
    ]
    if not found:
        raise SriqaError("there are no images to score; give at least one file or folder")
    names = digests([named(item.path) for item in found])
    _, first = np.unique(names, return_index=True)
    new = np.zeros(len(found), bool)
    new[first] = True
    return [found[k] for k in np.flatnonzero(new & ~among(names, done))]


def _written(
    rows: Output, items: list[Item], tables: Iterable[pa.Table]
) -> Generator[str | None, None, None]:
    """Write rows as they come, those of what could not be listed first; their errors."""
    try:
        for item in items:
            if item.problem:
                path = named(item.path)
                error = f"{path}: {item.problem}"
                rows.add(pa.table({"path": [path], "error": [error]}))
                yield error
        for table in tables:
            rows.add(table)
            yield from table.column("error").to_pylist()
    finally:  # also of what is stopped
        rows.flush()
