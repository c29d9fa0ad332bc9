"""Several processes on the CPU, tied together as a launcher does it."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Any

import torch

# The server imports this once; each process is forked from it.
_CONTEXT = multiprocessing.get_context("forkserver")
_SECONDS = 100


def together(number: int, work: Callable[..., None], *given: Any) -> list[int | None]:
    """Exit statuses of `work(*given)` in so many processes; None of one that has not ended."""
    _CONTEXT.set_forkserver_preload([__name__, work.__module__, "accelerate", "torch._dynamo"])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    members = [
        _CONTEXT.Process(target=_member, args=(rank, number, port, work, *given))
        for rank in range(number)
    ]
    for member in members:
        member.start()
    # One that was killed leaves the others waiting, until the launcher ends them.
    for member in members:
        member.join(_SECONDS if all(m.exitcode in (None, 0, 1) for m in members) else 1)
    statuses = [member.exitcode for member in members]
    for member in members:
        member.kill()
        member.join()
    return statuses


def _member(rank: int, number: int, port: int, work: Callable[..., None], *given: Any) -> None:
    torch.set_num_threads(1)
    if number > 1:
        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(number),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
    work(*given)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
