"""Codes of many images, which stay in their files until a step takes some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Codes:
    """Codes (..., C), float32, indexed like a tensor: ``codes[index]`` copies what it asks for.

    Rows lie in tensors that are mapped from files. Only pages with rows that were asked for are
    read; they are the system's cache, which it drops where memory is short, and processes share.

    Parameters
    ----------
    shards : sequence of ndarray, (n, V, C)
        Mapped from files.
    rows : Tensor, (...), int64
        Which of the rows (C,) of all shards, counted through them.
    width : int
        C.
    """

    def __init__(self, shards: Sequence[np.ndarray], rows: Tensor, width: int) -> None:
        self._shards = [shard.reshape(-1, width) for shard in shards]
        self._starts = np.cumsum([0, *map(len, self._shards)])[:-1]
        self._rows, self._width = rows, width

    @property
    def shape(self) -> tuple[int, ...]:
        """As of a tensor."""
        return (*self._rows.shape, self._width)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Tensor:
        """Codes at any index that torch takes, of all dimensions but the last."""
        rows = self._rows[index]
        wanted = rows.numpy().ravel()
        shards = np.searchsorted(self._starts, wanted, side="right") - 1
        found = np.empty((len(wanted), self._width), np.float32)
        places = zip(shards.tolist(), (wanted - self._starts[shards]).tolist(), strict=True)
        for code, (shard, row) in zip(found, places, strict=True):
            code[:] = self._shards[shard][row]
        return torch.from_numpy(found).view(*rows.shape, self._width)

    def view(self, *shape: int) -> Codes:
        """The same codes in another shape of all dimensions but the last."""
        return Codes(self._shards, self._rows.view(*shape), self._width)
