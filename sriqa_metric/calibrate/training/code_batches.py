"""Batches of codes for stage 1, computed once, where all that encodes is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...cli.progress import tracked
from ...metric import CalibratedMetric
from ...scoring import map_ahead
from ..config import LabelsConfig
from ..features.extract import as_crops
from ..features.store import FeatureStore
from .crop_batches import CropBatches, Job, Sources, order_crops

_ORDERS = 1000  # certain orders that are cached, of photos and of SR results


class CodeStores(NamedTuple):
    """Where the codes of a training are kept."""

    drawn: FeatureStore  # of draws of one crop, of what is trained on
    tested: FeatureStore  # of the test crops alone, of what is held out

    @classmethod
    def of(cls, metric: CalibratedMetric, folder: Path, draws: int, seed: int) -> CodeStores:
        """Both in one folder; see `FeatureStore`."""
        drawn = FeatureStore(folder, metric, draws, crops=1, seed=seed, tested=False)
        return cls(drawn, FeatureStore(folder, metric, draws=0))


class CodeBatches(CropBatches):
    """The batches of `CropBatches` with codes in place of crops.

    Of each image `config.draws` random crops are stored, of which a step takes `config.crops`;
    of photos and of SR results at most a thousand have a certain order each.

    Parameters
    ----------
    sources : Sources
    config : LabelsConfig
    seed : int
    stores : CodeStores
    process, processes : int
        Which of how many processes this is.
    """

    def __init__(
        self,
        sources: Sources,
        config: LabelsConfig,
        seed: int,
        stores: CodeStores,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        size = stores.drawn.metric.policy.size
        super().__init__(sources, config, seed, size, process, processes)
        self._stores = stores
        paths = cached_files(sources, config)
        self._codes = stores.drawn.codes(paths)
        self.blank = np.empty((0, 1, self._codes.shape[-1]), np.float32)
        self._row = {path: row for row, path in enumerate(paths)}
        self._tested: dict[tuple[Path, ...], Tensor] = {}
        self._orders: dict[Path, np.ndarray] = {}
        self.photos = self._ordered(self.photos, config.photo_ladders, False)
        self.results = self._ordered(self.results, config.sr_ladders, True)

    def _ordered(self, pool: Sequence[Path], wanted: int, on_sr: bool) -> list[Path]:
        """Some of the images, each with the codes of its certain order."""
        if not wanted:
            return []
        order = np.random.default_rng([self.seed, 3]).permutation(len(pool))
        chosen = [pool[index] for index in order[:_ORDERS]]
        codes = order_codes(self._stores.drawn.metric, chosen, on_sr, self.seed)
        self._orders.update(zip(chosen, codes.numpy(), strict=True))
        return chosen

    def made(self, job: Job) -> np.ndarray:
        """The codes (files, K, C) of a job, or its ladder's (V, C)."""
        if job.ladder:
            return self._orders[job.files[0]]
        rng = np.random.default_rng(job.seed)
        drawn = rng.permutation(self.config.draws)[: self.config.crops]
        rows = torch.tensor([self._row[path] for path in job.files])
        return self._codes[rows.unsqueeze(1), torch.from_numpy(drawn)].numpy()

    def tested(self, paths: Sequence[Path]) -> Tensor:
        """Codes (n, C) of images from their test crops; looked up once."""
        key = tuple(paths)
        if key not in self._tested:
            self._tested[key] = self._stores.tested.codes(paths)[:, 0]
        return self._tested[key]


def cached_files(sources: Sources, config: LabelsConfig) -> list[Path]:
    """Images whose codes a training looks up in its store."""
    paths = [path for labelled in sources.labelled for path in labelled.paths]
    if config.contents:
        paths += [p for sr in sources.ranked for m in sr.methods for p in sr.images(m)]
    return paths


@torch.inference_mode()
def order_codes(metric: CalibratedMetric, paths: Sequence[Path], on_sr: bool, seed: int) -> Tensor:
    """Codes of a certain order made of each image.

    Returns
    -------
    Tensor, (n, VERSIONS, C), float32, on the CPU
        See `distortions.certain_order`. That of an image depends on the seed and its place in
        `paths` alone.
    """

    def make(index: int) -> np.ndarray:
        rng = np.random.default_rng([seed, index])
        return order_crops(paths[index], metric.policy.size, on_sr, rng)

    with ThreadPoolExecutor(2) as pool:
        made = map_ahead(pool, make, tracked(range(len(paths)), "ladders"), depth=8)
        return torch.stack([metric.encode(as_crops(x, metric.device)).cpu() for x in made])
