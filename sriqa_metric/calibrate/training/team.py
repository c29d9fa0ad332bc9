"""The processes that a launcher started: what ties them together, and how they end alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, cast

import torch

from ...errors import SriqaError
from ..features.processes import launched

if TYPE_CHECKING:
    from accelerate import Accelerator

_Made = TypeVar("_Made")
_PATIENCE = timedelta(hours=2)  # one may cache more codes than the others before they meet


class SharedError(SriqaError):
    """An error that every process raises alike, so that one of them can tell it."""


def find_team(device: torch.device) -> Accelerator | None:
    """What ties this process to the others that a launcher started; None if it is the only one.

    Raises
    ------
    SriqaError
        If accelerate is not installed, or the others cannot be found.
    """
    processes = launched()[1]
    if processes == 1:
        return None
    try:
        from accelerate import Accelerator, InitProcessGroupKwargs
    except ModuleNotFoundError:
        raise SriqaError(
            f"started as one of {processes} processes, which needs accelerate; "
            "pip install 'sriqa-metric[distributed]', or start it without a launcher"
        ) from None
    try:
        team = Accelerator(
            cpu=device.type == "cpu",
            mixed_precision="no",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
        )
        found = team.num_processes
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise SriqaError(
            f"started as one of {processes} processes, which do not find each other ({reason}); "
            "start it with accelerate launch, or without a launcher"
        ) from None
    if found != processes:
        raise SriqaError(
            f"WORLD_SIZE is {processes}, but accelerate sees {found} processes; start it with "
            "accelerate launch, or without a launcher"
        )
    return team


def agreed(team: Accelerator | None, work: Callable[[], _Made]) -> _Made:
    """What `work` gives when all processes have done it; where it fails in one, none waits for it.

    Raises
    ------
    SharedError
        In every process, with the message of the first that failed.
    """
    if team is None:
        return work()
    made, message = None, None
    try:
        made = work()
    except SriqaError as error:
        message = str(error)
    failed = torch.tensor(float(message is not None), device=team.device)
    torch.distributed.all_reduce(failed)
    if failed:
        messages: list[str | None] = [None] * team.num_processes
        torch.distributed.all_gather_object(messages, message)
        raise SharedError(next(told for told in messages if told is not None))
    return cast(_Made, made)
