"""Many images through a metric: decoded in threads, cropped, scored in batches, in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import isfinite
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from .crops import CropPolicy, read_crops
from .errors import SriqaError
from .images import MAX_PIXELS, ImageLike, name_of, to_tensor
from .memory import is_out_of_memory

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
    max_pixels: int = MAX_PIXELS,
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
    max_pixels : int
        Larger images are errors, see `to_tensor`.

    Yields
    ------
    float or SriqaError
        For every image, in the order given: its score, a finite number, or why it has none. An
        image that memory does not suffice for is such an error, too.
    """
    for name, code in _named_codes(metric, images, metric.policy, batch_size, workers, max_pixels):
        yield code if isinstance(code, SriqaError) else _score(metric, name, code)


def _score(metric: Scorable, name: str, code: Tensor) -> float | SriqaError:
    with torch.inference_mode():
        score = metric.read(code.unsqueeze(0)).item()
    return score if isfinite(score) else not_finite(name, score)


def not_finite(name: str, score: float) -> SriqaError:
    """The error of an image whose score is NaN or infinite."""
    return SriqaError(f"{name}: its score is {score}; the weights are to blame, use others")


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
    for _, code in _named_codes(metric, images, policy, batch_size, workers, MAX_PIXELS):
        yield code


def score_crops(
    metric: Scorable, images: list[tuple[str, Tensor | SriqaError]]
) -> list[float | SriqaError]:
    """Scores of images whose crops (K, 3, size, size) are there, by name; errors stay errors."""
    coded = _encoded(metric, images, metric.crops_per_pass)
    return [
        code if isinstance(code, SriqaError) else _score(metric, name, code) for name, code in coded
    ]


_Named = tuple[str, Tensor | SriqaError]


def _named_codes(
    metric: Scorable,
    images: Iterable[ImageLike],
    policy: CropPolicy,
    batch_size: int | None,
    workers: int | None,
    max_pixels: int,
) -> Iterator[_Named]:
    size = batch_size or metric.crops_per_pass
    workers = workers or (1 if metric.device.type == "cpu" else os.cpu_count() or 1)

    def decoded(image: ImageLike) -> _Named:
        # No arithmetic of torch here: each thread would start a team of its own, and idle teams
        # keep the processor from the network.
        name = name_of(image)
        try:
            return name, tried(name, lambda: to_tensor(image, max_pixels=max_pixels))
        except SriqaError as error:
            return name, error

    waiting: list[_Named] = []
    crops = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        for name, item in map_ahead(pool, decoded, images, depth=workers):
            if isinstance(item, Tensor):
                item = tried(name, partial(read_crops, item, policy))
            if isinstance(item, Tensor):
                crops += len(item)
            waiting.append((name, item))
            if crops >= size or not crops:
                yield from _encoded(metric, waiting, size)
                waiting, crops = [], 0
    yield from _encoded(metric, waiting, size)


def _encoded(metric: Scorable, items: list[_Named], size: int) -> list[_Named]:
    """Codes in place of the crops of each image."""
    parts = [item for _, item in items if isinstance(item, Tensor)]
    if not parts:
        return items

    def encode() -> list[Tensor]:
        with torch.inference_mode():
            codes = metric.encode(torch.cat(parts).to(metric.device), size)
            return [part.mean(0) for part in codes.split([len(part) for part in parts])]

    means = tried(items[0][0], encode)
    if isinstance(means, SriqaError):
        if len(items) == 1:
            return [(items[0][0], means)]
        return [alone for item in items for alone in _encoded(metric, [item], size)]
    found = iter(means)
    return [(name, next(found) if isinstance(item, Tensor) else item) for name, item in items]


def tried(name: str, work: Callable[[], _Out]) -> _Out | SriqaError:
    """What `work` gives, or where memory runs out an error of the image of that name."""
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    way_out = "set a smaller batch size, or score a part of it"
    return SriqaError(f"{name}: there is not enough memory to score it; {way_out}")


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


def score_all(
    metric: Scorable, images: Iterable[ImageLike], max_pixels: int = MAX_PIXELS
) -> list[float]:
    """Scores of all images, in order; the first image that has none raises its error."""
    scores = []
    for result in score_stream(metric, images, max_pixels=max_pixels):
        if isinstance(result, SriqaError):
            raise result
        scores.append(result)
    return scores
