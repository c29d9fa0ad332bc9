"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def available(system: Path = Path("/")) -> int:
    """Processors that this process may keep busy, at least one.

    Those that it may run on, or fewer where a container has a quota of their time: more threads
    use it up sooner, and then all of them are stopped together.

    Parameters
    ----------
    system : Path
        Where `proc` and `sys` are.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    # A quota of 1.5 processors keeps two threads busy for most of the time.
    return max(1, min([allowed, *map(math.ceil, _quotas(system))]))


def _quotas(system: Path) -> Iterator[float]:
    """Processors' worth of time that each group of this process may use, where it has a limit."""
    mounts = system / "sys/fs/cgroup"
    for line in _text(system / "proc/self/cgroup").splitlines():
        _, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        if not controllers:  # version 2; beside version 1 it is mounted one folder further down
            for group in (*_groups(mounts, path), *_groups(mounts / "unified", path)):
                yield from _quota(*_text(group / "cpu.max").split())
        elif "cpu" in controllers.split(","):
            for group in (*_groups(mounts / controllers, path), *_groups(mounts / "cpu", path)):
                names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                yield from _quota(*(_text(group / name).strip() for name in names))


def _groups(mount: Path, path: str) -> Iterator[Path]:
    """The folder of a group and those of all that it lies in.

    In a container the path may be that of the host, where only the last of them is there.
    """
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for count in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:count])


def _quota(time: str = "", period: str = "") -> Iterator[float]:
    """Their ratio; nothing where there is no limit, which is `max`, or -1 in version 1."""
    if time.isdecimal() and period.isdecimal() and int(period):
        yield int(time) / int(period)


def _text(path: Path) -> str:
    """The text of a file, empty where there is none to be had."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
