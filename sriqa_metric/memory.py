"""Running out of memory: how it is known, and what to set instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import SriqaError

# In the errors of torch, which on the CPU are of the type of any other, and of its libraries.
_SIGNS = (
    *("out of memory", "DefaultCPUAllocator", "ALLOC_FAILED", "bad_alloc"),
    *("could not create a primitive", "could not create a memory"),  # oneDNN
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of Python, NumPy or torch says that memory has run out."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


@contextmanager
def memory_advice(what: str, advice: str) -> Iterator[None]:
    """Turn an error of memory inside into a `SriqaError` that says what ran out and what may fit.

    Parameters
    ----------
    what : str
        What was being done, as in "labels".
    advice : str
        Settings with half of the present values, as in "labels.batch=8".
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        kind = "GPU memory" if isinstance(error, torch.cuda.OutOfMemoryError) else "memory"
        raise SriqaError(f"{what}: out of {kind}; set {advice}") from None
