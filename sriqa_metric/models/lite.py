"""Quality model of `sriqa_lite`: EfficientNet-Lite0, statistics of its stages, a small head."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (kernel, stride, expansion, channels, blocks) of each stage, as published for EfficientNet-Lite0.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
# The last stage at each resolution is read: 16 + 24 + 40 + 112 + 320 channels.
_READ = (0, 1, 2, 4, 6)
_HIDDEN = 512
_DROPOUT = 0.5
_LEVELS = 5


class _Block(nn.Module):
    """Inverted residual block with its batch norms folded into the convolutions."""

    def __init__(self, inside: int, kernel: int, stride: int, expansion: int, outside: int) -> None:
        super().__init__()
        middle = inside * expansion
        self.expand = nn.Conv2d(inside, middle, 1) if expansion > 1 else None
        self.depthwise = nn.Conv2d(
            middle, middle, kernel, stride, padding=kernel // 2, groups=middle
        )
        self.project = nn.Conv2d(middle, outside, 1)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class LiteEncoder(nn.Module):
    """EfficientNet-Lite0 up to its last stage, convolutions only.

    Written out because importing timm (with torchvision) takes longer than all the rest of a
    cold start; the tests hold it against timm's network with the same weights.
    """

    width = 2 * sum(_STAGES[i][3] for i in _READ)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2, padding=1)
        self.stages = nn.ModuleList()
        inside = 32
        for kernel, stride, expansion, channels, blocks in _STAGES:
            stage = nn.Sequential()
            for block in range(blocks):
                step = stride if block == 0 else 1
                stage.append(_Block(inside, kernel, step, expansion, channels))
                inside = channels
            self.stages.append(stage)

    def maps(self, crops: Tensor) -> list[Tensor]:
        """Crops (M, 3, H, W) in [0, 1] -> the five maps that are read, finest first."""
        x = (crops * 2 - 1).contiguous(memory_format=torch.channels_last)
        x = F.relu6(self.stem(x), inplace=True)
        maps = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _READ:
                maps.append(x)
        return maps

    def forward(self, crops: Tensor) -> Tensor:
        """Crops (M, 3, H, W) in [0, 1] -> mean and standard deviation of every map (M, width)."""
        statistics = []
        for x in self.maps(crops):
            # In two passes: on a channels-last map six times as fast as torch.var_mean.
            mean = x.mean((2, 3), keepdim=True)
            variance = (x - mean).square().mean((2, 3))
            # The small constant keeps the gradient of a flat map finite.
            statistics += [mean.flatten(1), (variance + 1e-8).sqrt()]
        return torch.cat(statistics, dim=1)


class LiteQualityModel(nn.Module):
    """Stage statistics, standardised, and a two-layer head that reads a quality from them.

    The head gives probabilities of five levels, 1 (bad) to 5 (excellent), with the mean Σ c·p(c),
    as of the paper's CLIP model. Learnt from pairs, it orders images and leaves the level free. The
    quality is that mean q on the scale of people's ratings, 1 + 4·σ(a + b·logit((q − 1)/4)) with
    `rating` (a, b), b > 0: a map from [1, 5] to itself that changes no order.
    """

    feature_dim = LiteEncoder.width
    crops_per_pass = 6  # those of an image; their maps still fit the cache of a CPU

    centre: Tensor
    scale: Tensor
    rating: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LiteEncoder()
        self.register_buffer("centre", torch.zeros(self.feature_dim))
        self.register_buffer("scale", torch.ones(self.feature_dim))
        self.register_buffer("rating", torch.tensor([0.0, 1.0]))
        self.hidden = nn.Linear(self.feature_dim, _HIDDEN)
        self.out = nn.Linear(_HIDDEN, _LEVELS)

    def encode(self, crops: Tensor) -> Tensor:
        """Crops (M, 3, size, size) in [0, 1] -> standardised stage statistics (M, 1024)."""
        return (self.encoder(crops) - self.centre) * self.scale

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Statistics averaged over crops (N, 1024) -> quality (N,) in [1, 5], and themselves."""
        hidden = F.dropout(F.relu(self.hidden(codes)), _DROPOUT, self.training)
        levels = torch.linspace(0, 1, _LEVELS, dtype=codes.dtype, device=codes.device)
        offset, slope = self.rating
        # Away from the ends, where slopes would not be finite.
        logit = torch.logit(self.out(hidden).softmax(-1) @ levels, eps=1e-6)
        return 1 + (_LEVELS - 1) * torch.sigmoid(offset + slope * logit), codes
