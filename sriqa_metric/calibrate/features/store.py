"""Codes of images through a frozen quality model, on disk: computed once for all runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

import torch
from torch import Tensor

from ...cli.progress import tracked
from ...crops import READING_VERSION
from ...errors import SriqaError
from ...files import image_digest
from ...images import read_image
from ...memory import PassSize, memory_advice
from ...metric import CalibratedMetric
from ...processors import available
from ...scoring import default_workers, map_ahead, pinned
from .codes import Codes
from .draws import Draws, batched_codes
from .shards import Shards

_FORMAT = 1  # of the shards, and of how windows are drawn
_SHARD = 256  # images; a kill loses less than that
_Block = list[tuple[str, Path]]  # images that become a shard: SHA-256 and file


class FeatureStore:
    """Codes of images on disk: of the test crops, and of random draws of windows.

    A code is kept by weights, settings, the way of reading images and the bytes of the image file,
    so equal files are computed once, and of more data only what is new. The device is no part of
    that: codes from another one differ by rounding. Anyone can read while others fill.

    Parameters
    ----------
    folder : Path
        Gets a folder of shards for every weights id and settings.
    metric : CalibratedMetric
        Its quality model computes the codes, on its device; the rectifier plays no part.
    draws, crops, seed : int
        Random draws of an image, windows of a draw, and what they depend on; see `Draws`.
    batch_size : int, optional
        Crops that go through the network at once; by default what is fast on the device.
    tested : bool
        Whether codes of the test crops are kept, too: not of images that only random draws are
        taken of.

    Raises
    ------
    SriqaError
        For a number that is too small, and for a metric whose weights have no id.
    """

    def __init__(
        self,
        folder: Path,
        metric: CalibratedMetric,
        draws: int = 8,
        crops: int = 3,
        seed: int = 0,
        batch_size: int | None = None,
        tested: bool = True,
    ) -> None:
        if metric.weights_id == "unsaved":
            raise SriqaError(
                f"codes are kept by the id of the weights, but those of this {metric.name} are "
                "unsaved; save them, and load the file"
            )
        self.metric = metric
        self._draws = Draws(metric.policy, draws, crops, seed, tested)
        self._at_once = PassSize(batch_size or metric.crops_per_pass)
        self._batch_size = self._at_once.size
        settings = {
            "format": _FORMAT,
            "reading": READING_VERSION,
            "weights": metric.weights_id,
            "policy": metric.policy.to_dict(),
            "draws": draws,
            "crops": crops,
            "seed": seed,
        } | ({} if tested else {"tested": False})
        self._settings = json.dumps(settings, sort_keys=True)
        digest = hashlib.sha256(self._settings.encode()).hexdigest()[:12]
        weights = re.sub(r"[^\w.-]", "-", metric.weights_id)[:64]
        self.folder = folder / f"{weights}-{digest}"

    def codes(self, paths: Sequence[Path]) -> Codes:
        """Codes of images; what is missing is computed first, as by `fill`.

        Parameters
        ----------
        paths : sequence of n Path

        Returns
        -------
        Codes, (n, 1 + draws, C), float32, on the CPU
            [:, 0] of the test crops, as the metric scores them; then of the random draws. Without
            test crops (n, draws, C). They stay on disk until they are asked for.

        Raises
        ------
        SriqaError
            As `fill`, and if a shard is damaged.
        """
        images, _ = self._filled(paths)
        return self._shards.read(images)

    def fill(self, paths: Sequence[Path], process: int = 0, processes: int = 1) -> int:
        """Compute what is missing; after a kill the same call goes on, to the same bits.

        Several processes, on machines that share the folder, each compute their part of the same
        paths; which were computed by how many before plays no part.

        Parameters
        ----------
        paths : sequence of Path
        process, processes : int
            Which of how many processes this is.

        Returns
        -------
        int
            Images computed by this process.

        Raises
        ------
        SriqaError
            If an image cannot be read or its codes are not finite (it is named), if the disk is
            full, the GPU's memory does not suffice, a shard is no shard, or other processes than
            these are filling this store. What was done before is kept.
        """
        return self._filled(paths, process, processes)[1]

    def size(self) -> int:
        """Bytes on disk."""
        return self._shards.size()

    @cached_property
    def _shards(self) -> Shards:
        size = self._draws.policy.size
        blank = torch.zeros(1, 3, size, size, device=self.metric.device)
        with torch.inference_mode():
            width = self.metric.encode(blank).shape[1]
        return Shards(self.folder, self._settings, (self._draws.codes, width))

    def _filled(
        self, paths: Sequence[Path], process: int = 0, processes: int = 1
    ) -> tuple[list[str], int]:
        """SHA-256 of every image, and how many of them this process had to compute."""
        unique = list(dict.fromkeys(paths))
        workers = available()
        with ThreadPoolExecutor(workers, thread_name_prefix="hash") as pool:
            found = map_ahead(pool, image_digest, unique, depth=2 * workers)
            with closing(tracked(found, "hashing", len(unique), process > 0)) as digests:
                sha256 = dict(zip(unique, digests, strict=True))
        files: dict[str, Path] = {}
        for path in unique:
            files.setdefault(sha256[path], path)
        images = [sha256[path] for path in paths]
        # Cut before it is looked up what is missing, so that all processes cut alike.
        items = list(files.items())
        blocks = [items[start : start + _SHARD] for start in range(0, len(items), _SHARD)]
        blocks = blocks[process::processes]
        if not self._missing(blocks):
            return images, 0
        with self._shards.filling(process, processes):
            missing = self._missing(blocks)
            self._compute(missing, process > 0)
        return images, sum(map(len, missing))

    def _missing(self, blocks: list[_Block]) -> list[_Block]:
        """What has no codes yet of each block, where there is any."""
        known = self._shards.index()
        left = [[item for item in block if item[0] not in known] for block in blocks]
        return [block for block in left if block]

    def _compute(self, blocks: list[_Block], hidden: bool) -> None:
        """Add a shard of each block.

        Each begins a new batch, so that batches are composed after a kill as without it.
        """
        device = self.metric.device

        def decoded(item: tuple[str, Path]) -> Tensor | SriqaError:
            # No arithmetic of torch here; see `scoring._results`.
            image, path = item
            try:
                if image_digest(path) != image:
                    raise SriqaError(f"{path}: was changed meanwhile; run this again")
                pixels = read_image(path)
            except SriqaError as error:
                return error
            return pinned(pixels) if device.type == "cuda" else pixels

        workers = default_workers(device)
        with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
            left = sum(map(len, blocks))
            ahead = map_ahead(pool, decoded, chain.from_iterable(blocks), depth=workers)
            with closing(tracked(ahead, "features", left, hidden)) as stream:
                for block in blocks:
                    self._shards.require_room(left)
                    self._add_shard(block, stream)
                    left -= len(block)

    @torch.inference_mode()
    def _add_shard(self, shard: _Block, stream: Iterator[Tensor | SriqaError]) -> None:
        """Take the images of a shard off the stream; one that cannot be read ends it."""
        failed: list[SriqaError] = []

        def crops() -> Iterator[Tensor]:
            # The stream goes on after this shard: no more than its own images are taken.
            for (image, _), pixels in zip(shard, islice(stream, len(shard)), strict=True):
                if isinstance(pixels, SriqaError):
                    failed.append(pixels)
                    return
                yield self._draws.cut(pixels.to(self.metric.device, non_blocking=True), image)

        size = self._batch_size
        halved = f"--batch-size of `sriqa-calibrate features` to {max(1, size // 2)} (it is {size})"
        with memory_advice("features", halved):
            encoded = batched_codes(self._encoded, crops(), size)
            averaged = [self._draws.average(codes) for codes in encoded]
            codes = torch.stack(averaged).cpu() if averaged else None
        if codes is not None:
            finite = codes.isfinite().flatten(1).all(1).tolist()
            if not all(finite):
                path = shard[finite.index(False)][1]
                raise SriqaError(f"{path}: its codes are NaN or infinite; leave the image out")
            self._shards.write([image for image, _ in shard[: len(codes)]], codes)
        if failed:
            raise failed[0]

    def _encoded(self, crops: Tensor) -> Tensor:
        return self._at_once.run(lambda fitting: self.metric.encode(crops, fitting), len(crops))
