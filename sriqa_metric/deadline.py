"""A total time limit for work of other libraries, which know limits of single readings only."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class DeadlineError(BaseException):
    """The time is over; no `Exception`, so that nothing between retries or swallows it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise `DeadlineError` in this thread, whichever it is, if the block takes longer.

    The block is left as by any error, with its files and locks cleared up. A reading that blocks
    has to end first, by its own limit.
    """
    thread = ctypes.c_ulong(threading.get_ident())
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    timer = threading.Timer(seconds, raise_in, (thread, ctypes.py_object(DeadlineError)))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        raise_in(thread, None)  # takes back what was not raised yet
