"""Running out of a GPU's memory, told as what to set instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import SriqaError


@contextmanager
def memory_advice(what: str, advice: str) -> Iterator[None]:
    """Turn torch's error inside into a `SriqaError` that says what ran out and what may fit.

    Parameters
    ----------
    what : str
        What was being done, as in "labels".
    advice : str
        Settings with half of the present values, as in "labels.batch=8".
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError:
        raise SriqaError(f"{what}: out of GPU memory; set {advice}") from None
