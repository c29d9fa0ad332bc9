"""The stages of the work as Ray runs them, and where."""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..errors import SriqaError
from ..metric import CalibratedMetric
from .places import is_shard
from .work import FILES, Scoring, decoded, encoded, shard_entries

if TYPE_CHECKING:
    import ray.data

LOCAL = "local"
_BLOCKS = 1000  # at most, of a list of files
_IMAGES = 16  # images that are decoded together, and go through the network together


@dataclass(frozen=True)
class Workers:
    """The actors that hold the network.

    Parameters
    ----------
    number, threads : int
        Actors, and processors of each.
    gpus : float
        GPUs of each; 0 is the CPU.
    """

    number: int
    threads: int
    gpus: float

    @classmethod
    def of(cls, number: int | None, threads: int, gpus: float) -> Workers:
        """As many as the cluster has room for where no number is given.

        Raises
        ------
        SriqaError
            For a number out of range, and more than the cluster has room for.
        """
        import ray

        for name, value, least in (("workers", number, 1), ("threads", threads, 1)):
            if value is not None and value < least:
                raise SriqaError(f"{name} is {value}; it must be {least} or more")
        if not 0 <= gpus < math.inf:
            raise SriqaError(f"gpus is {gpus}; it must be 0 or more")
        there = ray.cluster_resources()
        kinds = [("CPU", "processors", threads)] + ([("GPU", "GPUs", gpus)] if gpus else [])
        room = min(int(there.get(kind, 0) / each) for kind, _, each in kinds)
        if (number or 1) > room:
            told = " and ".join(f"{n:g} of {there.get(k, 0):g} {what}" for k, what, n in kinds)
            raise SriqaError(
                f"no room for {number or 1} workers that take {told}; there is room for {room}"
            )
        return cls(number or room, threads, gpus)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Ray, connected to; what was started here is stopped at the end.

    Raises
    ------
    SriqaError
        If it is not installed, or there is no cluster at this address.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise SriqaError("Ray is not installed: pip install 'sriqa-metric[ray]'") from None
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        options["include_dashboard"] = False
    log = logging.getLogger("ray.data")
    level = log.level
    with _environment(RAY_USAGE_STATS_ENABLED="0", RAY_BACKEND_LOG_LEVEL="fatal"):
        try:
            _require_answer(address)
            ray.init(address, **options)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise SriqaError(f"Ray cannot be reached at {address!r}: {reason}") from None
        try:
            import ray.data

            log.setLevel(logging.ERROR)
            yield
        finally:
            log.setLevel(level)
            ray.shutdown()


def _require_answer(address: str) -> None:
    """Raise an `OSError` where nobody answers: Ray would ask for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Variables that are set for a while, where the user has not set them."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def scored(
    metric: CalibratedMetric,
    files: list[str],
    done: np.ndarray,
    workers: Workers,
    max_pixels: int,
) -> Iterator[pa.Table]:
    """Rows of path, error, width, height and score, as they come, of all files.

    Parameters
    ----------
    metric : CalibratedMetric
    files : list of str
        Images and shards.
    done : ndarray, (n,) uint64
        `digests` of names that are left out of the shards.
    workers : Workers
    max_pixels : int

    Raises
    ------
    SriqaError
        If Ray gives up.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy
    from ray.exceptions import RayError

    if not files:
        return
    context = DataContext.get_current()
    context.enable_progress_bars = False
    # Beside networks on the CPU decoding takes what they leave of the processors.
    beside = math.ceil(workers.number * workers.threads / 4)
    decoding: dict[str, Any] = {"num_cpus": 1} if workers.gpus else {"num_cpus": 0}
    if not workers.gpus:
        decoding["compute"] = TaskPoolStrategy(size=beside)
    device, n = "cuda" if workers.gpus else "cpu", workers.number
    try:
        rows = (
            _images(files, ray.put(done), decoding)
            .map_batches(
                partial(decoded, policy=metric.policy, max_pixels=max_pixels),
                batch_size=_IMAGES,
                batch_format="pyarrow",
                **decoding,
            )
            .map_batches(
                _Actor,
                fn_constructor_args=(ray.put(metric), device, workers.threads),
                batch_size=_IMAGES,
                batch_format="pyarrow",
                num_cpus=workers.threads,
                num_gpus=workers.gpus,
                compute=ActorPoolStrategy(min_size=1, max_size=n, initial_size=n),
            )
        )
        yield from rows.iter_batches(batch_size=None, batch_format="pyarrow")
    except RayError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise SriqaError(f"Ray gave up: {reason}; run this again, it goes on") from error


def _images(files: list[str], done: Any, decoding: dict[str, Any]) -> ray.data.Dataset:
    """Files of images, and what is in shards."""
    parts = []
    single = [path for path in files if not is_shard(path)]
    if single:
        parts.append(_list_of(single, max(_IMAGES, math.ceil(len(single) / _BLOCKS))))
    if shards := [path for path in files if is_shard(path)]:
        found: dict[str, Any] = {
            "fn_kwargs": {"done": done},
            "batch_size": 1,
            "batch_format": "pyarrow",
        }
        read: Any = _shard_entries
        parts.append(_list_of(shards, 1).map_batches(read, **found, **decoding))
    return parts[0].union(parts[1]) if len(parts) > 1 else parts[0]


class _Actor(Scoring):
    """`Scoring` by a metric that lies in the object store, once on each machine."""

    def __init__(self, metric: Any, device: str, threads: int) -> None:
        import ray

        super().__init__(ray.get(metric), device, threads)


def _shard_entries(table: pa.Table, done: Any) -> Iterator[pa.Table]:
    import ray

    return shard_entries(table, ray.get(done))


def _list_of(paths: list[str], size: int) -> ray.data.Dataset:
    from ray.data import from_arrow

    tables = []
    for start in range(0, len(paths), size):
        part = [encoded(path) for path in paths[start : start + size]]
        nothing = [None] * len(part)
        tables.append(pa.table({"path": part, "data": nothing, "error": nothing}, schema=FILES))
    return from_arrow(tables)
