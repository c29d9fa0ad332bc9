"""The rectifier h_θ: image features -> (α, β) of the calibrated score Q = α·q + β."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

# softplus(s + _ONE) is 1 at s = 0, so that an untrained rectifier changes nothing.
_ONE = math.log(math.e - 1)


class Rectifier(nn.Module):
    """Linear(d, d) - ReLU - Dropout(0.1) - Linear(d, 2), with α > 0.

    The last layer starts at zero: the untrained rectifier is the identity (α = 1, β = 0) and
    calibration starts from the quality model itself.

    Parameters
    ----------
    width : int
        Length d of the image features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.dropout = nn.Dropout(0.1)
        self.out = nn.Linear(width, 2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, d) -> α (N,) > 0 and β (N,)."""
        s, beta = self.out(self.dropout(F.relu(self.hidden(features)))).unbind(-1)
        return F.softplus(s + _ONE), beta

    def calibrate(self, quality: Tensor, features: Tensor) -> Tensor:
        """Q = α·q + β for quality scores (N,) and features (N, d); returns (N,)."""
        alpha, beta = self(features)
        return alpha * quality + beta
