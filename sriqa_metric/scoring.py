"""Many images through a metric: decoded in threads, cropped, scored in batches, in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from .crops import CropPolicy, read_crops
from .errors import SriqaError
from .images import ImageLike, to_tensor

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Scorable(Protocol):
    """What scoring asks of a metric."""

    @property
    def device(self) -> torch.device: ...

    @property
    def crops_per_pass(self) -> int: ...

    @property
    def policy(self) -> CropPolicy: ...

    def encode(self, crops: Tensor, at_once: int | None = None) -> Tensor:
        """Crops (M, 3, size, size) -> codes (M, C)."""

    def read(self, codes: Tensor) -> Tensor:
        """Codes averaged over the crops of each image (N, C) -> scores (N,)."""


def score_stream(
    metric: Scorable,
    images: Iterable[ImageLike],
    batch_size: int | None = None,
    workers: int | None = None,
) -> Iterator[float | SriqaError]:
    """Score images one after the other, without holding more than a few of them.

    Parameters
    ----------
    metric : Scorable
    images : iterable of paths, PIL images, ndarrays or tensors
    batch_size : int, optional
        Crops that go through the network at once; by default what is fast on the device.
    workers : int, optional
        Threads that decode; by default one beside a network on the CPU, which they would only
        slow down, and one for every processor beside CUDA.

    Yields
    ------
    float or SriqaError
        For every image, in the order given: its score, or why it has none.
    """
    for code in code_stream(metric, images, metric.policy, batch_size, workers):
        if isinstance(code, SriqaError):
            yield code
            continue
        with torch.inference_mode():
            yield metric.read(code.unsqueeze(0)).item()


def code_stream(
    metric: Scorable,
    images: Iterable[ImageLike],
    policy: CropPolicy,
    batch_size: int | None = None,
    workers: int | None = None,
) -> Iterator[Tensor | SriqaError]:
    """Codes (C,) of images averaged over their crops, in the order given.

    Crops of several images go through the network together, as many as fill a pass.
    """
    size = batch_size or metric.crops_per_pass
    workers = workers or (1 if metric.device.type == "cpu" else os.cpu_count() or 1)

    def decoded(image: ImageLike) -> Tensor | SriqaError:
        # No arithmetic of torch here: each thread would start a team of its own, and idle teams
        # keep the processor from the network.
        try:
            return to_tensor(image)
        except SriqaError as error:
            return error

    waiting: list[Tensor | SriqaError] = []
    crops = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        for item in map_ahead(pool, decoded, images, depth=workers):
            if isinstance(item, Tensor):
                item = read_crops(item, policy)
                crops += len(item)
            waiting.append(item)
            if crops >= size or not crops:
                yield from _codes(metric, waiting, size)
                waiting, crops = [], 0
    yield from _codes(metric, waiting, size)


def _codes(
    metric: Scorable, items: list[Tensor | SriqaError], size: int
) -> Iterator[Tensor | SriqaError]:
    parts = [item for item in items if isinstance(item, Tensor)]
    if parts:
        with torch.inference_mode():
            codes = metric.encode(torch.cat(parts).to(metric.device), size)
            means = iter([part.mean(0) for part in codes.split([len(part) for part in parts])])
    for item in items:
        yield next(means) if isinstance(item, Tensor) else item


def map_ahead(
    pool: ThreadPoolExecutor, work: Callable[[_In], _Out], items: Iterable[_In], depth: int
) -> Iterator[_Out]:
    """`map(work, items)` in order, with the threads at most `depth` items ahead of the reader."""
    waiting: deque[Any] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def score_all(metric: Scorable, images: Iterable[ImageLike]) -> list[float]:
    """Scores of all images, in order; the first image that has none raises its error."""
    scores = []
    for result in score_stream(metric, images):
        if isinstance(result, SriqaError):
            raise result
        scores.append(result)
    return scores
