"""Many images through a metric: decoded in threads, cropped, scored in batches, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from math import isfinite
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from .crops import CropPolicy, crop_count, cut_crops, finish_crops
from .errors import SriqaError
from .images import MAX_PIXELS, ImageLike, name_of, to_tensor
from .memory import PassSize, is_out_of_memory
from .processors import available

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
        Threads that decode; by default one for every processor, but four at most beside a network
        on the CPU, which wants the same processors.
    max_pixels : int
        Larger images are errors, see `to_tensor`.

    Yields
    ------
    float or SriqaError
        For every image, in the order given: its score, a finite number, or why it has none. An
        image that memory does not suffice for is such an error, too.
    """
    network = _Network(metric, metric.policy, metric.read, batch_size)
    for name, score in _results(network, images, workers, max_pixels):
        yield _finite(name, score)


def cut_scorer(
    metric: Scorable,
) -> Callable[[list[tuple[str, Tensor | SriqaError]]], list[float | SriqaError]]:
    """What scores images as `cut_crops` leaves them, by name; what is an error stays one.

    A smaller batch that it comes to where memory runs out is kept from call to call.
    """
    network = _Network(metric, metric.policy, metric.read, None)
    return lambda images: [_finite(name, score) for name, score in network.results(images)]


def _finite(name: str, score: Tensor | SriqaError) -> float | SriqaError:
    if isinstance(score, SriqaError):
        return score
    value = score.item()
    return value if isfinite(value) else not_finite(name, value)


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
    """Codes (C,) of images averaged over their crops, in the order given, on the CPU.

    Crops of several images go through the network together, as many as fill a pass.
    """
    network = _Network(metric, policy, lambda codes: codes, batch_size)
    for _, code in _results(network, images, workers, MAX_PIXELS):
        yield code


_Named = tuple[str, Tensor | SriqaError]


class _Network:
    """What becomes of the crops of several images at once.

    Parameters
    ----------
    metric : Scorable
    policy : CropPolicy
    read : callable
        Codes of images (N, C) -> the results (N, ...).
    batch_size : int, optional
        Crops in a pass; by default what is fast on the device.
    """

    def __init__(
        self,
        metric: Scorable,
        policy: CropPolicy,
        read: Callable[[Tensor], Tensor],
        batch_size: int | None,
    ) -> None:
        self.metric, self.policy, self.read = metric, policy, read
        self.at_once = PassSize(batch_size or metric.crops_per_pass)

    def results(self, items: list[_Named]) -> list[_Named]:
        """Results in place of the crops of each image."""
        cut = [item for _, item in items if isinstance(item, Tensor)]
        crops = sum(crop_count(image, self.policy) for image in cut)
        if len(items) == 1 and cut:
            name = items[0][0]
            found = tried(name, lambda: self.at_once.run(partial(self._read, cut), crops)[0])
            return [(name, found)]
        try:
            read = iter(self._read(cut, self.at_once.size))
            return [(name, next(read) if isinstance(x, Tensor) else x) for name, x in items]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        self.at_once.halve(min(crops, self.at_once.size))
        middle = len(items) // 2
        return [*self.results(items[:middle]), *self.results(items[middle:])]

    @torch.inference_mode()
    def _read(self, cut: list[Tensor], at_once: int) -> Sequence[Tensor]:
        if not cut:
            return []
        device = self.metric.device
        crops = [finish_crops(x.to(device, non_blocking=True), self.policy) for x in cut]
        codes = self.metric.encode(torch.cat(crops), at_once).split([len(x) for x in crops])
        return self.read(torch.stack([of_one.mean(0) for of_one in codes])).cpu().unbind()


def _results(
    network: _Network, images: Iterable[ImageLike], workers: int | None, max_pixels: int
) -> Iterator[_Named]:
    """Names of images and what the network makes of them, or errors.

    Three things go on at once: threads decode the images of the next batch and cut out their
    crops, this thread gathers them, and a network that is not on the CPU has a thread of its own.
    An image is held whole while a thread decodes it; only its crops wait for the network.
    """
    device, policy, at_once = network.metric.device, network.policy, network.at_once
    workers = workers or default_workers(device)

    def cut(image: ImageLike) -> _Named:
        # No arithmetic of torch here: each thread would start a team of its own, and idle teams
        # keep the processor from the network.
        name = name_of(image)

        def crops() -> Tensor:
            found = cut_crops(to_tensor(image, max_pixels=max_pixels), policy)
            there = found.device == device or device.type != "cuda"
            return found if there else pinned(found)

        try:
            return name, tried(name, crops)
        except SriqaError as error:
            return name, error

    a_batch = -(-at_once.size // policy.number)  # images, of which small ones have fewer crops
    with (
        closing(in_threads(cut, images, workers, workers + a_batch, "decode")) as items,
        closing(_batches(items, policy, at_once)) as batches,
        closing(_beside(network.results, batches, device)) as found,
    ):
        for batch in found:
            yield from batch


def default_workers(device: torch.device) -> int:
    """Threads that decode for a network on this device."""
    return available() if _has_own_processor(device) else min(4, available())


def pinned(image: Tensor) -> Tensor:
    """The image or crops (..., 3, H, W) in memory that CUDA reads while the processor goes on."""
    return image.movedim(-3, -1).contiguous().pin_memory().movedim(-1, -3)


def _batches(
    items: Iterable[_Named], policy: CropPolicy, at_once: PassSize
) -> Generator[list[_Named], None, None]:
    """The items, together as many as fill a pass."""
    waiting: list[_Named] = []
    crops = 0
    for name, item in items:
        if isinstance(item, Tensor):
            crops += crop_count(item, policy)
        waiting.append((name, item))
        if crops >= at_once.size or not crops:
            yield waiting
            waiting, crops = [], 0
    if waiting:
        yield waiting


def _beside(
    work: Callable[[_In], _Out], items: Iterable[_In], device: torch.device
) -> Generator[_Out, None, None]:
    """`map(work, items)`; where the device is not the CPU, the next item is got meanwhile.

    On the CPU both would want the same processors.
    """
    if not _has_own_processor(device):
        yield from map(work, items)
        return
    # A thread begins on the default stream; the weights may still be on their way on this one.
    stream = torch.cuda.current_stream(device) if device.type == "cuda" else None

    def on_stream(item: _In) -> _Out:
        with torch.cuda.stream(stream):
            return work(item)

    yield from in_threads(on_stream, items, 1, 1, "network")


def _has_own_processor(device: torch.device) -> bool:
    return device.type != "cpu"


def tried(name: str, work: Callable[[], _Out]) -> _Out | SriqaError:
    """What `work` gives, or where memory runs out an error of the image of that name."""
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    way_out = "set a smaller batch size, or score a part of it"
    return SriqaError(f"{name}: there is not enough memory to score it; {way_out}")


def in_threads(
    work: Callable[[_In], _Out], items: Iterable[_In], workers: int, depth: int, name: str
) -> Generator[_Out, None, None]:
    """`map_ahead` in threads of its own, of which closing it early leaves none."""
    with ThreadPoolExecutor(workers, thread_name_prefix=name) as pool:
        yield from map_ahead(pool, work, items, depth)


def map_ahead(
    pool: ThreadPoolExecutor, work: Callable[[_In], _Out], items: Iterable[_In], depth: int
) -> Generator[_Out, None, None]:
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
