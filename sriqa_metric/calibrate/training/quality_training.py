"""Training of `sriqa_lite`'s quality model: a prior from certain orders, then fine-tuning.

There are no human scores to learn from, so the prior learns orders that are certain: an image
above the same image distorted, and a weak distortion above a strong one of its kind.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import SriqaError
from ...models.lite import LiteQualityModel
from ..config import QualityModelConfig
from ..data.sr_results import SRResults, pixels
from ..features.extract import as_crops, random_ladder, window_of
from .losses import group_loss, order_loss
from .run_folder import RunFolder

_CHECKPOINT_EVERY = 25  # steps

Log = Callable[[str, int, dict[str, float]], None]
"""Stage, step and named losses -> written into the run's log."""


def train_prior(
    model: LiteQualityModel, ladders: Tensor, config: QualityModelConfig, seed: int, log: Log
) -> None:
    """Fit the head on cached codes of ladders, the encoder frozen.

    Parameters
    ----------
    model : LiteQualityModel
        Changed in place: its standardisation is set from the codes, its head trained.
    ladders : Tensor, (n, L, C)
        Codes of n ladders of L versions, best first, not standardised.
    config : QualityModelConfig
    seed : int
    log : Log
    """
    generator = torch.Generator().manual_seed(seed)
    flat = ladders.flatten(0, 1)
    model.centre.copy_(flat.mean(0))
    # A channel that hardly varies would be blown up: its spread has a floor.
    model.scale.copy_(1 / flat.std(0).clamp_min(1e-2))
    codes = (ladders - model.centre.cpu()) * model.scale.cpu()
    head = copy.deepcopy(torch.nn.ModuleList([model.hidden, model.out])).cpu().requires_grad_()
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.head_lr, weight_decay=1e-2)
    for step in range(config.prior_steps):
        _set_rates(optimizer, [config.head_lr * _cosine(step, config.prior_steps)])
        chosen = torch.randint(len(codes), (64,), generator=generator)
        scores = head[1](torch.relu(head[0](codes[chosen]))).squeeze(-1)
        loss = order_loss(scores)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            log("prior", step, {"order": loss.item()})
    model.hidden.load_state_dict(head[0].state_dict())
    model.out.load_state_dict(head[1].state_dict())
    standardise_scores(model, codes)


@torch.no_grad()
def standardise_scores(model: LiteQualityModel, codes: Tensor) -> None:
    """Shift and scale the head, so that images of these codes (..., C) score 0 ± 1.

    Certain orders drive differences apart without end. What is trained next starts from unit
    spread, where the preference of Eq. (4) still has a gradient.
    """
    scores, _ = model.read(codes.flatten(0, -2).to(model.centre))
    spread, mean = torch.std_mean(scores)
    model.out.weight /= spread
    model.out.bias.sub_(mean).div_(spread)


@dataclass(frozen=True)
class Batch:
    """Images of one step, uint8: results (B, N, S, S, 3) and ladders (P, L, S, S, 3)."""

    results: np.ndarray
    ladders: np.ndarray


class Sampler:
    """Batches that depend on the seed and the step alone, so that a run can go on anywhere."""

    def __init__(
        self, sr: SRResults, photos: list[Path], config: QualityModelConfig, seed: int
    ) -> None:
        self.sr, self.photos, self.config, self.seed = sr, photos, config, seed
        # SR results are drawn again and again, and their lossless files are slow to decode.
        self._pixels = lru_cache(maxsize=512)(pixels)

    def __call__(self, step: int) -> Batch:
        """The images of a step."""
        rng = np.random.default_rng([self.seed, step])
        config, sr = self.config, self.sr
        chosen = rng.choice(len(sr.contents), config.contents, replace=False)
        results = np.stack([self._results(sr.contents[index], rng) for index in chosen])
        anything = [path for method in sr.methods for path in sr.images(method)]
        ladders = [
            random_ladder(
                pool[rng.integers(len(pool))], config.crop, config.levels, pool is anything, rng
            )
            for pool, count in (
                (self.photos, config.photo_ladders),
                (anything, config.sr_ladders),
            )
            for _ in range(count)
        ]
        return Batch(results, np.stack(ladders))

    def _results(self, content: str, rng: np.random.Generator) -> np.ndarray:
        """The same window of every method's result on a content, mirrored or not (N, S, S, 3)."""
        paths = [self.sr.paths[method, content] for method in self.sr.methods]
        images = [self._pixels(path) for path in paths]
        top, left = window_of(images[0], self.config.crop, rng, paths[0])
        for image, path in zip(images, paths, strict=True):
            if image.shape != images[0].shape:
                raise SriqaError(
                    f"{path}: {image.shape[1]}x{image.shape[0]} pixels, but {paths[0]} has "
                    f"{images[0].shape[1]}x{images[0].shape[0]}; results of a content need one size"
                )
        windows = np.stack([x[top:, left:][: self.config.crop, : self.config.crop] for x in images])
        return windows[:, :, ::-1] if rng.random() < 0.5 else windows


def fine_tune(
    prior: LiteQualityModel,
    sr: SRResults,
    photos: list[Path],
    config: QualityModelConfig,
    seed: int,
    folder: RunFolder,
) -> LiteQualityModel:
    """Train encoder and head together: group loss, the same per content, and certain orders.

    The group loss is Eq. (5) on the means over the step's contents and once more on every content
    alone. A training that was stopped goes on from its last checkpoint.

    Returns
    -------
    LiteQualityModel
        The moving average of the weights.

    Raises
    ------
    SriqaError
        If the loss is not finite; the step is named.
    """
    average = copy.deepcopy(prior)
    if config.steps == 0:
        return average
    device = average.centre.device
    mu = torch.as_tensor(sr.mu, dtype=torch.float32, device=device)
    sample = Sampler(sr, photos, config, seed)
    trained = copy.deepcopy(prior).requires_grad_()
    head = [*trained.hidden.parameters(), *trained.out.parameters()]
    groups: list[dict[str, Any]] = [{"params": trained.encoder.parameters()}, {"params": head}]
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    first = 0
    if stopped := folder.resume("fine-tune"):
        first = stopped[0] + 1
        average.load_state_dict(stopped[1]["average"])
        trained.load_state_dict(stopped[1]["trained"])
        optimizer.load_state_dict(stopped[1]["optimizer"])
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(sample, first)
        for step in range(first, config.steps):
            batch = following.result()
            following = pool.submit(sample, step + 1)
            decay = _cosine(step, config.steps)
            _set_rates(optimizer, [config.encoder_lr * decay, config.head_lr * decay])
            losses = _losses(trained, batch, mu)
            loss = sum(losses.values(), torch.zeros((), device=device))
            if not loss.isfinite():
                raise SriqaError(f"fine-tuning: the loss of step {step} is {loss.item()}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            _average(average, trained, min(config.averaging, (1 + step) / (10 + step)))
            folder.log("fine-tune", step, {name: value.item() for name, value in losses.items()})
            if (step + 1) % _CHECKPOINT_EVERY == 0 or step + 1 == config.steps:
                state = {
                    "average": average.state_dict(),
                    "trained": trained.state_dict(),
                    "optimizer": optimizer.state_dict(),
                }
                folder.save("fine-tune", step, state)
    return average


def _losses(model: LiteQualityModel, batch: Batch, mu: Tensor) -> dict[str, Tensor]:
    contents, methods = batch.results.shape[:2]
    crops = np.concatenate([x.reshape(-1, *x.shape[2:]) for x in (batch.results, batch.ladders)])
    scores, _ = model.read(model.encode(as_crops(crops, mu.device)))
    results = scores[: contents * methods].view(contents, methods)
    ladders = scores[contents * methods :].view(batch.ladders.shape[:2])
    return {
        "group": group_loss(results.T, mu),
        "content": group_loss(results.unsqueeze(-1), mu),
        "order": order_loss(ladders),
    }


@torch.no_grad()
def _average(average: torch.nn.Module, current: torch.nn.Module, decay: float) -> None:
    for kept, new in zip(average.parameters(), current.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def _cosine(step: int, steps: int) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * step / steps)


def _set_rates(optimizer: torch.optim.Optimizer, rates: list[float]) -> None:
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
