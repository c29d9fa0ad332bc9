"""Batches of random crops for stage 1, decoded ahead of the network."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ...crops import enlarged_size, read_windows
from ...errors import SriqaError
from ...scoring import map_ahead
from ..config import LabelsConfig
from ..data.distortions import VERSIONS, certain_order
from ..data.mos_sets import LabelledImages
from ..data.sr_results import SRResults, pixels


@dataclass(frozen=True)
class Sources:
    """What a quality model learns from.

    Parameters
    ----------
    labelled : tuple of LabelledImages
        Sets with MOS; pairs are made of images of one set.
    sr : SRResults or None
        SR results and the ranking of their methods, for groups and for certain orders.
    more : tuple of SRResults
        Others with rankings of their own, for groups alone.
    photos : tuple of Path
        Pristine photos, for certain orders.
    """

    labelled: tuple[LabelledImages, ...] = ()
    sr: SRResults | None = None
    photos: tuple[Path, ...] = ()
    more: tuple[SRResults, ...] = ()

    @property
    def ranked(self) -> tuple[SRResults, ...]:
        """All SR results."""
        return () if self.sr is None else (self.sr, *self.more)


@dataclass(frozen=True)
class Batch:
    """What a step learns from: crops (..., S, S, 3), uint8, or codes (..., C), float32.

    All P images in order: the labelled sets one after the other, then of each SR results content
    by content those of all methods. All L certain orders: of photos, then of SR results.

    Parameters
    ----------
    images : ndarray, (p, K, ...)
        K crops of every image that this process encodes.
    ladders : ndarray, (l, VERSIONS, ...)
        One crop of l images in its versions; see `distortions.certain_order`.
    files : tuple of Path
        The P images, then the L.
    rows : tuple of ndarray
        Which images of each labelled set they are.
    shares : tuple of ndarray
        Of each process the places of its p images and l · VERSIONS versions among all; of a single
        one, all.
    """

    images: np.ndarray
    ladders: np.ndarray
    files: tuple[Path, ...]
    rows: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]


class Job(NamedTuple):
    """Files that are cut at the same places, or one file of which a ladder is made."""

    files: list[Path]
    seed: list[int]
    ladder: bool = False
    on_sr: bool = False

    @property
    def size(self) -> int:
        """How many scores it is for."""
        return VERSIONS if self.ladder else len(self.files)


class CropBatches:
    """Batches that depend on the seed and the step alone, so that a run can go on anywhere.

    Several processes have one batch and share its work; results of a content stay together.

    A set is passed through in a random order, new for every pass, and what does not fill a batch
    is left out of that pass; no batch has an image twice. An epoch is one pass through the
    labelled set that takes longest; the others start over, each on its own.

    Parameters
    ----------
    sources : Sources
        A labelled set of fewer images than `config.batch` is in every batch as a whole.
    config : LabelsConfig
    seed : int
    size : int
        Side of a crop, in pixels.
    process, processes : int
        Which of how many processes this is.
    """

    def __init__(
        self,
        sources: Sources,
        config: LabelsConfig,
        seed: int,
        size: int,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        self.sources, self.config, self.seed, self.size = sources, config, seed, size
        self.process, self.processes = process, processes
        self.blank = np.empty((0, 1, size, size, 3), np.uint8)  # of a process without images
        passes = [len(s.paths) // config.batch for s in sources.labelled]
        self.steps_per_epoch = max(1, *passes)
        self.photos: Sequence[Path] = sources.photos
        sr = sources.sr
        self.results = [] if sr is None else [p for m in sr.methods for p in sr.images(m)]
        # SR results, B, and groups a step: of few contents there are smaller groups, or fewer.
        self.groups = [
            (ranked, size, min(config.groups, len(ranked.contents) // size))
            for ranked in sources.ranked
            if (size := min(config.contents, len(ranked.contents)))
        ]

    def stream(self, steps: range, workers: int) -> Generator[Batch, None, None]:
        """The batches of some steps, counted from 1, made in threads about a step ahead."""
        mine = slice(self.process, None, self.processes)
        work = len(self._jobs(1)[1][mine])
        jobs = (job for step in steps for job in self._jobs(step)[1][mine])
        with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
            made = map_ahead(pool, self.made, jobs, depth=max(work, workers))
            for step in steps:
                rows, planned = self._jobs(step)
                parts = list(zip(planned[mine], islice(made, work), strict=True))
                ladders = [part for job, part in parts if job.ladder]
                yield Batch(
                    np.concatenate([part for job, part in parts if not job.ladder] or [self.blank]),
                    np.stack(ladders) if ladders else self.blank,
                    tuple(path for job in planned for path in job.files),
                    rows,
                    self._shares(planned),
                )

    def _shares(self, jobs: Sequence[Job]) -> tuple[np.ndarray, ...]:
        """Every so many-th job is of one process."""
        ends = list(accumulate(job.size for job in jobs))
        places = [np.arange(end - job.size, end) for job, end in zip(jobs, ends, strict=True)]
        none = np.arange(0)
        return tuple(
            np.concatenate([none, *places[process :: self.processes]])
            for process in range(self.processes)
        )

    def _jobs(self, step: int) -> tuple[tuple[np.ndarray, ...], list[Job]]:
        """Rows of each labelled set, and what has to be made: the cuts first, then the ladders."""
        config, sources = self.config, self.sources
        rows = tuple(
            self._drawn(index, len(labelled.paths), config.batch, step)
            for index, labelled in enumerate(sources.labelled)
        )
        groups = [
            [s.paths[row]]
            for s, chosen in zip(sources.labelled, rows, strict=True)
            for row in chosen
        ]
        part = len(sources.labelled)
        for place, (sr, size, number) in enumerate(self.groups):
            drawn = self._drawn(part + 2 + place, len(sr.contents), size * number, step)
            groups += [[sr.paths[m, sr.contents[index]] for m in sr.methods] for index in drawn]
        pools = [(self.photos, config.photo_ladders), (self.results, config.sr_ladders)]
        orders = [
            (pool[row], on_sr)
            for on_sr, (pool, number) in enumerate(pools)
            for row in (self._drawn(part + on_sr, len(pool), number, step) if number else ())
        ]
        # The 0 does nothing, but without it there would be other crops than in earlier versions.
        seeds = ([self.seed, 1, step, 0, place] for place in count())
        jobs = [Job(files, next(seeds)) for files in groups]
        jobs += [Job([path], next(seeds), True, bool(on_sr)) for path, on_sr in orders]
        return rows, jobs

    def _drawn(self, part: int, available: int, batch: int, step: int) -> np.ndarray:
        """What the step takes of a set: a piece of the present pass's random order."""
        turns = max(1, available // batch)
        passed, turn = divmod(step - 1, turns)
        order = np.random.default_rng([self.seed, 0, part, passed]).permutation(available)
        return order[turn * batch :][:batch]

    def made(self, job: Job) -> np.ndarray:
        """The crops (files, K, S, S, 3) of a job, or its ladder (V, S, S, 3)."""
        rng = np.random.default_rng(job.seed)
        if job.ladder:
            return order_crops(job.files[0], self.size, job.on_sr, rng)
        return random_crops(job.files, self.config.crops, self.size, rng)


def order_crops(path: Path, size: int, on_sr: bool, rng: np.random.Generator) -> np.ndarray:
    """A random crop of an image and its certain order, best first.

    Returns
    -------
    ndarray, (VERSIONS, size, size, 3), uint8
    """
    return certain_order(random_crops([path], 1, size, rng)[0, 0], on_sr, rng)


def random_crops(
    paths: Sequence[Path], number: int, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Random windows, mirrored or not, at the same places of all images.

    An image whose short side is below `size` is enlarged as for scoring.

    Returns
    -------
    ndarray, (images, number, size, size, 3), uint8

    Raises
    ------
    SriqaError
        If a file cannot be read, or the images differ in size; the message names it.
    """
    images = [pixels(path) for path in paths]
    shape = images[0].shape
    for image, path in zip(images, paths, strict=True):
        if image.shape != shape:
            raise SriqaError(
                f"{path}: {image.shape[1]}x{image.shape[0]} pixels, but {paths[0]} has "
                f"{shape[1]}x{shape[0]}; results of a content need one size"
            )
    height, width = enlarged_size(shape[0], shape[1], size)
    tops = rng.integers(height - size + 1, size=number)
    lefts = rng.integers(width - size + 1, size=number)
    mirrored = rng.random(number) < 0.5
    where = list(zip(tops.tolist(), lefts.tolist(), strict=True))
    crops = np.empty((len(images), number, size, size, 3), np.uint8)
    for image, cut in zip(images, crops, strict=True):
        if (height, width) == shape[:2]:
            # Copied by numpy: a thread of ours that calls torch would start a team of its own.
            for window, (top, left) in zip(cut, where, strict=True):
                window[:] = image[top : top + size, left : left + size]
        else:
            windows = read_windows(torch.from_numpy(image).permute(2, 0, 1), where, size)
            cut[:] = (windows * 255).round().byte().permute(0, 2, 3, 1).numpy()
    crops[:, mirrored] = crops[:, mirrored, :, ::-1]
    return crops
