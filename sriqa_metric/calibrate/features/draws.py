"""What is cached of an image: the code of its test crops, of random draws of windows, or both."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...crops import CropPolicy, corners, enlarged_size, read_windows
from ...errors import SriqaError


@dataclass(frozen=True)
class Draws:
    """Which windows of an image are cached.

    Parameters
    ----------
    policy : CropPolicy
        The test crops.
    number : int
        Random draws.
    crops : int
        Windows of a draw, anywhere in the image, each mirrored or not, by chance.
    seed : int
        A draw depends on this, its number and the bytes of the image file alone.
    tested : bool
        Whether the test crops are cached, too.

    Raises
    ------
    SriqaError
        For a value that is too small.
    """

    policy: CropPolicy
    number: int
    crops: int
    seed: int
    tested: bool = True

    def __post_init__(self) -> None:
        values = (("draws", self.number, 0), ("crops", self.crops, 1), ("seed", self.seed, 0))
        for name, value, least in values:
            if value < least:
                raise SriqaError(f"{name} is {value}; it must be {least} or more")

    @property
    def codes(self) -> int:
        """V, codes of an image."""
        return self.tested + self.number

    def cut(self, image: Tensor, sha256: str) -> Tensor:
        """Cut all windows out of one image, on its device.

        Parameters
        ----------
        image : Tensor, (3, H, W)
            uint8, or float in [0, 1].
        sha256 : str
            Of its file.

        Returns
        -------
        Tensor, (K + number · crops, 3, size, size), float in [0, 1]
            The K test crops, if any, then the windows of each draw.
        """
        size = self.policy.size
        height, width = enlarged_size(image.shape[1], image.shape[2], size)
        where = corners(height, width, self.policy) if self.tested else []
        mirrored = []
        for draw in range(1, self.number + 1):
            rng = np.random.default_rng([self.seed, draw, int(sha256, 16)])
            for _ in range(self.crops):
                top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
                if rng.random() < 0.5:
                    mirrored.append(len(where))
                where.append((int(top), int(left)))
        windows = read_windows(image, where, size)
        for index in mirrored:
            windows[index] = windows[index].flip(-1)
        return windows

    def average(self, codes: Tensor) -> Tensor:
        """Codes of all windows of an image (K + number · crops, C) -> (V, C)."""
        tested, drawn = codes.tensor_split([len(codes) - self.number * self.crops])
        drawn = drawn.reshape(self.number, self.crops, codes.shape[1]).mean(1)
        return torch.cat([tested.mean(0, keepdim=True), drawn]) if self.tested else drawn


def batched_codes(
    encode: Callable[[Tensor], Tensor], parts: Iterable[Tensor], size: int
) -> Iterator[Tensor]:
    """Codes (k, C) of each part (k, 3, S, S), in order.

    Parts go through the network together, always `size` crops at once but for the last batch.
    """
    lengths: deque[int] = deque()
    waiting: list[Tensor] = []
    codes: list[Tensor] = []  # of what is not given out yet
    for part in parts:
        lengths.append(len(part))
        waiting.append(part)
        if sum(map(len, waiting)) > size:
            *full, rest = torch.cat(waiting).split(size)
            waiting, codes = [rest], [torch.cat([*codes, *map(encode, full)])]
            while lengths and lengths[0] <= len(codes[0]):
                first, codes[0] = codes[0].tensor_split([lengths.popleft()])
                yield first
    if waiting:
        yield from torch.cat([*codes, encode(torch.cat(waiting))]).split(list(lengths))
