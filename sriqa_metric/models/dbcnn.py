"""Quality model of `sriqa_dbcnn`: VGG-16 and SCNN, read together by bilinear pooling.

W. Zhang, K. Ma, J. Yan, D. Deng, Z. Wang, "Blind image quality assessment using a deep bilinear
convolutional neural network", IEEE TCSVT 30(1), 2020. The parameters are named as in the
checkpoints that pyiqa publishes; `published_state` prepares such a checkpoint for
`load_state_dict`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .published import IMAGENET_MEAN, IMAGENET_STD, FrozenBatchNorm, normalise

# Output channels of the 3x3 convolutions of VGG-16; "M" halves the maps. The fifth halving, after
# the last convolution, is left out.
_VGG = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512)
# (channels, stride) of the 3x3 convolutions of SCNN, the branch that was trained to tell
# synthetic distortions apart.
_SCNN = ((48, 1), (48, 2), (64, 1), (64, 2), (64, 1), (64, 2), (128, 1), (128, 1), (128, 2))
_VGG_WIDTH, _SCNN_WIDTH = 512, 128


def _vgg() -> nn.Sequential:
    """Convolutions of VGG-16; (M, 3, H, W) -> (M, 512, H / 16, W / 16), rounded down."""
    layers: list[nn.Module] = []
    inside = 3
    for step in _VGG:
        if isinstance(step, int):
            layers += [nn.Conv2d(inside, step, 3, padding=1), nn.ReLU(inplace=True)]
            inside = step
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _scnn() -> nn.Sequential:
    """Convolutions of SCNN; (M, 3, H, W) -> (M, 128, H / 16, W / 16), rounded up."""
    layers: list[nn.Module] = []
    inside = 3
    for channels, stride in _SCNN:
        layers += [
            nn.Conv2d(inside, channels, 3, stride, padding=1),
            FrozenBatchNorm(channels),
            nn.ReLU(inplace=True),
        ]
        inside = channels
    return nn.Sequential(*layers)


class DBCNNQualityModel(nn.Module):
    """DBCNN on crops; the score of an image is the mean over its crops.

    DBCNN as published reads a whole image at once; here it reads crops, like every quality model.
    Building it downloads nothing; its weights are random until they are loaded.

    The features are the spatial means of the last maps of both branches: 512 of VGG-16 (conv5_3
    after its ReLU), then 128 of SCNN. They are what bilinear pooling reads, at a hundredth of the
    65,536 products that it makes of them.
    """

    feature_dim = _VGG_WIDTH + _SCNN_WIDTH
    crops_per_pass = 5  # their maps still fit the cache of a CPU

    def __init__(self) -> None:
        super().__init__()
        self.features1 = _vgg()
        self.features2 = _scnn()
        self.fc = nn.Linear(_VGG_WIDTH * _SCNN_WIDTH, 1)

    def encode(self, crops: Tensor) -> Tensor:
        """Crops (M, 3, H, W) in [0, 1], sides of at least 16 -> codes (M, 1 + 640).

        A code is the quality score of the crop, then its features.
        """
        x = normalise(crops, IMAGENET_MEAN, IMAGENET_STD)
        semantic, synthetic = self.features1(x), self.features2(x)
        if synthetic.shape[2:] != semantic.shape[2:]:  # sides that 16 does not divide
            synthetic = F.interpolate(
                synthetic, semantic.shape[2:], mode="bilinear", align_corners=True
            )
        semantic, synthetic = semantic.flatten(2), synthetic.flatten(2)
        score = self.fc(_bilinear(semantic, synthetic))
        return torch.cat([score, semantic.mean(2), synthetic.mean(2)], dim=1)

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes averaged over crops (N, 641) -> quality (N,), about [0, 1], features (N, 640)."""
        return codes[:, 0], codes[:, 1:]


def _bilinear(first: Tensor, second: Tensor) -> Tensor:
    """Bilinear pooling of maps (M, C, L) and (M, D, L) at the same L places.

    Returns
    -------
    Tensor, (M, C·D)
        Mean over places of the outer products, square-rooted, of unit length.
    """
    products = first @ second.transpose(1, 2) / first.shape[2]
    # The small constant, as published, also keeps the gradient finite where a product is zero.
    return F.normalize((products.flatten(1) + 1e-8).sqrt())
