"""Which of several processes this is, as the launcher that started them says."""

from __future__ import annotations

import os

import torch

from ...errors import SriqaError


def launched() -> tuple[int, int]:
    """Which of how many processes this is: RANK and WORLD_SIZE of the environment, or 0 of 1.

    Raises
    ------
    SriqaError
        If only one of the two is set, or they are no such numbers.
    """
    given = {name: os.environ.get(name) for name in ("RANK", "WORLD_SIZE")}
    if not any(given.values()):
        return 0, 1
    try:
        rank, processes = (int(value or "") for value in given.values())
        if not 0 <= rank < processes:
            raise ValueError
    except ValueError:
        told = ", ".join(
            f"{name}={value}" if value else f"no {name}" for name, value in given.items()
        )
        raise SriqaError(
            f"the environment has {told}, as no launcher sets them; unset both, or start it with "
            "accelerate launch"
        ) from None
    return rank, processes


def first_process() -> bool:
    """Whether this process writes the files: the only one, or the first that a launcher started."""
    return launched()[0] == 0


def require_alone(what: str) -> None:
    """Refuse to be one of several processes.

    Raises
    ------
    SriqaError
        That says that `what`, as in "stage 2", trains in one.
    """
    processes = launched()[1]
    if processes > 1:
        raise SriqaError(
            f"{what} is trained by one process, and this is one of {processes}; start it without "
            "a launcher"
        )


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process, LOCAL_RANK of the environment, where several share a machine."""
    place = os.environ.get("LOCAL_RANK", "")
    if device.type != "cuda" or device.index is not None or not place.isdecimal():
        return device
    return torch.device("cuda", int(place) % torch.cuda.device_count())
