"""A progress bar on stderr, only where somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def tracked(
    items: Sequence[_Item] | Iterable[_Item],
    description: str,
    total: int | None = None,
    hidden: bool = False,
) -> Iterator[_Item]:
    """The items, with a bar and the time left on stderr if that is a terminal.

    Parameters
    ----------
    items : iterable
    description : str
    total : int, optional
        How many there are, where `items` does not say.
    hidden : bool
        Show nothing even on a terminal.
    """
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield from items  # rich before 14.3 writes an empty line for a bar that is disabled
    else:
        yield from track(items, description, total=total, console=console)
