"""Which of several processes this is, as the launcher that started them says."""

from __future__ import annotations

import os

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
