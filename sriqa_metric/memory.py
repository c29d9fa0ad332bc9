"""Running out of memory: how it is known, what is done with less, and what to set instead."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from .errors import SriqaError

# In the errors of torch, which on the CPU are of the type of any other, and of its libraries.
_SIGNS = (
    *("out of memory", "DefaultCPUAllocator", "ALLOC_FAILED", "bad_alloc"),
    *("could not create a primitive", "could not create a memory"),  # oneDNN
)

_log = logging.getLogger(__name__)
_Out = TypeVar("_Out")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of Python, NumPy or torch says that memory has run out."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


class PassSize:
    """How many crops go through a network at once: half as many whenever memory runs out.

    Every halving is a line on stderr, unless the program has set up logging otherwise.

    Parameters
    ----------
    size : int
        How many at first.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def halve(self, crops: int) -> None:
        """After so many crops at once were too many: from now on half as many, and at least one."""
        if crops > 1:
            self.size = crops // 2
            _log.warning("not enough memory for %d crops at once: now %d are", crops, self.size)

    def run(self, work: Callable[[int], _Out], crops: int) -> _Out:
        """What `work` gives for so many crops, called again with half the size while that is much.

        Where memory does not suffice for a single crop at once, the last error is raised. That is
        the fault of these crops, so the size is then what it was before.

        Parameters
        ----------
        work : callable
            Takes how many crops may go through the network at once.
        crops : int
            How many there are.
        """
        before = self.size
        while True:
            tried = min(self.size, crops)
            try:
                return work(self.size)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if tried <= 1:
                    self.size = before
                    raise
            self.halve(tried)  # out here nothing of what the work had made is held any more


def crops_that_fit(most: int, needed: int, free: int) -> int:
    """How many crops to send through a network at once.

    Half of the free memory is used: a card has other users, and its allocator leaves gaps. Only
    halves of `most` come about, so that a little more or less of free memory changes no batch.

    Parameters
    ----------
    most : int
        More than these are no faster.
    needed, free : int
        Bytes for one crop, and of the card.
    """
    while most > 1 and most * needed > free // 2:
        most //= 2
    return most


def cuda_bytes(work: Callable[[], object], device: torch.device) -> int:
    """The most memory that `work` held of a card while it ran; its peak statistics start anew."""
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    return torch.cuda.max_memory_allocated(device) - before


def cuda_free(device: torch.device) -> int:
    """Bytes of a card that this process can have: free ones, and those that torch keeps unused."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


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
