"""Scores of the images of a step, in one pass of the network that a launcher wraps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from ...models import QualityModel
from ..config import LabelsConfig

_CHECKPOINTED = 16  # crops whose activations are there at once


class CodeScorer(nn.Module):
    """Scores of images from codes of their crops.

    ``scorer(codes, counts, shares)``: codes (M, C) of the crops of this process's images, and how
    many belong to each -> (P,), the scores of the images of all processes; `shares` says which of
    them each process has, see `Batch`.
    """

    def __init__(self, model: QualityModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, codes: Tensor, counts: Sequence[int], shares: Sequence[np.ndarray]) -> Tensor:
        means = [part.mean(0) for part in codes.split(list(counts))]
        own = torch.stack(means) if means else codes
        return self.model.read(gathered(own, shares))[0]


class CropScorer(CodeScorer):
    """Scores of images from their crops (M, 3, S, S) in [0, 1], as in scoring, with gradients.

    Only `encode` runs in bf16; its codes are averaged and read in float32, so that scores of
    similar images do not tie.
    """

    def __init__(self, model: QualityModel, config: LabelsConfig) -> None:
        super().__init__(model)
        self.encode = torch.compile(model.encode) if config.compile else model.encode
        self.bf16, self.checkpointing = config.precision == "bf16", config.checkpointing

    def forward(self, crops: Tensor, counts: Sequence[int], shares: Sequence[np.ndarray]) -> Tensor:
        if not counts:  # of a process without images; some networks refuse to encode nothing
            crops = crops.new_zeros(1, *crops.shape[1:])
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.bf16):
            if self.checkpointing:
                parts = crops.split(_CHECKPOINTED)
                made = [checkpoint(self.encode, part, use_reentrant=False) for part in parts]
                codes = torch.cat(made)
            else:
                codes = self.encode(crops)
        return super().forward(codes.float()[: sum(counts)], counts, shares)


def gathered(codes: Tensor, shares: Sequence[np.ndarray]) -> Tensor:
    """Codes (P, C) of the images of all processes, each from its own (p, C), with gradients.

    Parameters
    ----------
    codes : Tensor, (p, C)
    shares : sequence of ndarray
        Of each process the places of its images among all; see `Batch`.
    """
    if len(shares) == 1:
        return codes
    longest = max(map(len, shares))
    parts = _Gathered.apply(pad(codes, (0, 0, 0, longest - len(codes)))).split(longest)
    known = [part[: len(share)] for part, share in zip(parts, shares, strict=True)]
    order = torch.from_numpy(np.argsort(np.concatenate(shares)))
    return torch.cat(known)[order.to(codes.device)]


class _Gathered(torch.autograd.Function):
    """The rows (n, C) of each process, one after the other, in every process.

    Each then has the loss of all images. A launcher takes the mean of the gradients of n processes:
    what reads has the same in all, but what encodes has in each what comes from its own images,
    which is multiplied by n. The mean is then the gradient of the one loss.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        parts = gradients[0].chunk(distributed.get_world_size())
        return len(parts) * parts[distributed.get_rank()]
