"""Quality model of `sriqa_hyperiqa`: ResNet-50 and a network that writes another's weights.

S. Su, Q. Yan, Y. Zhu, C. Zhang, X. Ge, J. Sun, Y. Zhang, "Blindly assess image quality in the wild
guided by a self-adaptive hyper network", CVPR 2020. The parameters are named as in the
checkpoint that pyiqa publishes; `published_state` prepares such a checkpoint for
`load_state_dict`.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .published import IMAGENET_MEAN, IMAGENET_STD, FrozenBatchNorm, normalise, require_size

_SIZE = 224  # pixels; the linear layers below are made for the maps of such crops
# (blocks, channels, stride) of the stages of ResNet-50; a stage puts out four times `channels`.
_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
_WIDTHS = tuple(4 * channels for _, channels, _ in _STAGES)
_CELL = 7  # side, in map pixels, of the cells that local statistics are averaged over
# Channels that the first three stages are reduced to before they are averaged over cells.
_REDUCED = (16, 32, 64)
_LOCAL = 16  # numbers that each of them adds to the content vector
_GUIDE = 112  # channels of the map that the target network's weights are made from
# Widths of the target network's layers, from the content vector to the score.
_TARGET = (224, 112, 56, 28, 14, 1)


class _Bottleneck(nn.Module):
    """Residual block of ResNet-50, its stride in the 3x3 convolution."""

    def __init__(self, inside: int, channels: int, stride: int) -> None:
        super().__init__()
        outside = 4 * channels
        self.conv1 = nn.Conv2d(inside, channels, 1, bias=False)
        self.bn1 = FrozenBatchNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = FrozenBatchNorm(channels)
        self.conv3 = nn.Conv2d(channels, outside, 1, bias=False)
        self.bn3 = FrozenBatchNorm(outside)
        self.downsample = None
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), FrozenBatchNorm(outside)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class _ResNet50(nn.Module):
    """ResNet-50 without its classifier.

    Written out because importing timm or torchvision takes longer than all the rest of a cold
    start.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = FrozenBatchNorm(64)
        inside = 64
        for number, (blocks, channels, stride) in enumerate(_STAGES, start=1):
            stage = nn.Sequential()
            for block in range(blocks):
                stage.append(_Bottleneck(inside, channels, stride if block == 0 else 1))
                inside = 4 * channels
            self.add_module(f"layer{number}", stage)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Normalised crops (M, 3, H, W) -> last map of each stage, H / 4 to H / 32 high."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.max_pool2d(x, 3, 2, padding=1)
        maps = []
        for number in range(1, len(_STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
            maps.append(x)
        return maps


def _local_statistics() -> nn.ModuleList:
    """One module per stage: its map -> the part of the content vector that it adds."""
    modules = nn.ModuleList()
    side = _SIZE // 4
    for width, reduced in zip(_WIDTHS[:-1], _REDUCED, strict=True):
        modules.append(
            nn.Sequential(
                nn.Conv2d(width, reduced, 1, bias=False),
                nn.AvgPool2d(_CELL),
                nn.Flatten(),
                nn.Linear(reduced * (side // _CELL) ** 2, _LOCAL),
            )
        )
        side //= 2
    rest = _TARGET[0] - _LOCAL * len(_REDUCED)
    modules.append(
        nn.Sequential(nn.AvgPool2d(_CELL), nn.Flatten(), nn.Linear(_WIDTHS[-1], rest)),
    )
    return modules


def _pooled_linear(outside: int) -> nn.Sequential:
    """Guide map (M, 112, 7, 7) -> (M, outside), through its spatial mean."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(_GUIDE, outside))


class HyperIQAQualityModel(nn.Module):
    """HyperIQA on crops; the score of an image is the mean over its crops.

    The last map of the encoder decides the weights of a small target network, which reads the
    quality of the crop from a content vector of 224 numbers. Building it downloads nothing; its
    weights are random until they are loaded.

    The features are the spatial means of the encoder's last map: 2048 of ResNet-50 (conv5_x after
    its ReLU), the content that the target network adapts to.
    """

    feature_dim = _WIDTHS[-1]
    crops_per_pass = 5  # their maps still fit the cache of a CPU

    def __init__(self) -> None:
        super().__init__()
        self.base_model = _ResNet50()
        self.lda_modules = _local_statistics()
        self.conv1 = nn.Sequential(
            nn.Conv2d(_WIDTHS[-1], 1024, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 512, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, _GUIDE, 1),
            nn.ReLU(inplace=True),
        )
        self.fc_w_modules = nn.ModuleList()
        self.fc_b_modules = nn.ModuleList()
        for inside, outside in pairwise(_TARGET):
            # A map of 7x7 cells holds the weights of a layer; the last layer has too few.
            self.fc_w_modules.append(
                nn.Conv2d(_GUIDE, inside * outside // _CELL**2, 3, padding=1)
                if outside > 1
                else _pooled_linear(inside)
            )
            self.fc_b_modules.append(_pooled_linear(outside))

    def encode(self, crops: Tensor) -> Tensor:
        """Crops (M, 3, 224, 224) in [0, 1] -> codes (M, 1 + 2048).

        A code is the quality score of the crop, then its features.

        Raises
        ------
        SriqaError
            If crops are of another size.
        """
        require_size(crops, _SIZE, "sriqa_hyperiqa")
        maps = self.base_model(normalise(crops, IMAGENET_MEAN, IMAGENET_STD))
        local = zip(self.lda_modules, maps, strict=True)
        content = torch.cat([module(x) for module, x in local], dim=1)
        score = self._target_network(content, self.conv1(maps[-1]))
        return torch.cat([score, maps[-1].mean((2, 3))], dim=1)

    def _target_network(self, content: Tensor, guide: Tensor) -> Tensor:
        """Content vectors (M, 224) and guide maps (M, 112, 7, 7) -> scores (M, 1).

        Five linear layers, sigmoids between them, with weights of their own for every crop.
        """
        x = content.unsqueeze(2)
        layers = zip(self.fc_w_modules, self.fc_b_modules, pairwise(_TARGET), strict=True)
        for make_weight, make_bias, (inside, outside) in layers:
            weight = make_weight(guide).reshape(-1, outside, inside)
            x = torch.baddbmm(make_bias(guide).unsqueeze(2), weight, x)
            if outside > 1:
                x = x.sigmoid()
        return x.squeeze(2)

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes averaged over crops (N, 2049) -> quality (N,), about [0, 1], features (N, 2048)."""
        return codes[:, 0], codes[:, 1:]
