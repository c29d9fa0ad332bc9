"""Stage 2: the rectifier, trained on cached codes of a frozen quality model."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..errors import SriqaError
from ..quality_models import QualityModel
from ..rectifier import Rectifier
from .config import RectifierConfig
from .losses import group_loss, order_loss
from .quality_training import Log


def train_rectifier(
    rectifier: Rectifier,
    model: QualityModel,
    results: Tensor,
    mu: Tensor,
    ladders: Tensor,
    held_out: Tensor,
    config: RectifierConfig,
    seed: int,
    log: Log,
) -> None:
    """Train h_θ by Eq. (6): certain orders + λ₂ · group loss, every pair of methods in each step.

    Where the paper has a labelled loss on human scores, ladders of distortions stand here.

    Parameters
    ----------
    rectifier : Rectifier
        Changed in place to its best state on the held-out contents.
    model : QualityModel
        Reads quality and features from codes.
    results : Tensor, (N, n, C)
        Codes of N methods on n contents.
    mu : Tensor, (N,)
        Global ranking.
    ladders : Tensor, (m, L, C)
        Codes of m ladders, best first.
    held_out : Tensor, (N, k, C)
        Codes of contents that are not trained on.
    config : RectifierConfig
    seed : int
    log : Log

    Raises
    ------
    SriqaError
        If the loss is not finite; the step is named.
    """
    quality, features = _read(model, results)
    ladder_quality, ladder_features = _read(model, ladders)
    held_quality, held_features = _read(model, held_out)
    contents = min(config.contents, quality.shape[1])

    def validation() -> float:
        rectifier.eval()
        with torch.no_grad():
            scores = rectifier.calibrate(held_quality, held_features)
            loss = group_loss(scores.T.unsqueeze(-1), mu)
        rectifier.train()
        return loss.item()

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # dropout
        rectifier.train().requires_grad_()
        optimizer = torch.optim.AdamW(
            rectifier.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        best, best_state = validation(), copy.deepcopy(rectifier.state_dict())
        log("rectifier", 0, {"validation": best})
        for step in range(1, config.steps + 1):
            chosen = torch.randperm(quality.shape[1], generator=generator)[:contents]
            picked = torch.randint(len(ladders), (64,), generator=generator)
            group = group_loss(rectifier.calibrate(quality[:, chosen], features[:, chosen]), mu)
            order = order_loss(rectifier.calibrate(ladder_quality[picked], ladder_features[picked]))
            loss = order + config.group_weight * group
            if not loss.isfinite():
                raise SriqaError(f"rectifier: the loss of step {step} is {loss.item()}")
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(rectifier.parameters(), 1.0)
            optimizer.step()
            if step % config.validate_every == 0:
                value = validation()
                log(
                    "rectifier",
                    step,
                    {"group": group.item(), "order": order.item(), "validation": value},
                )
                if value < best:
                    best, best_state = value, copy.deepcopy(rectifier.state_dict())
        rectifier.load_state_dict(best_state)
    rectifier.eval().requires_grad_(False)


@torch.no_grad()
def _read(model: QualityModel, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Quality (..., ) and features (..., d) of codes (..., C)."""
    quality, features = model.read(codes.flatten(0, -2))
    return quality.view(codes.shape[:-1]), features.view(*codes.shape[:-1], -1)
