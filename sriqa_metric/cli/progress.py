"""A progress bar on stderr, only where somebody looks at it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TypeVar

from rich import progress as bars
from rich.console import Console
from rich.text import Text

_Item = TypeVar("_Item")


class _Rate(bars.ProgressColumn):
    """Items per second; the other way round where they take longer."""

    def render(self, task: bars.Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each")


def tracked(
    items: Sequence[_Item] | Iterable[_Item],
    description: str,
    total: int | None = None,
    hidden: bool = False,
) -> Generator[_Item, None, None]:
    """The items, with a bar, their rate and the time left on stderr if that is a terminal.

    Parameters
    ----------
    items : iterable
    description : str
    total : int, optional
        How many there are, where `items` does not say.
    hidden : bool
        Show nothing even on a terminal.
    """
    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield from items  # rich before 14.3 writes an empty line for a bar that is disabled
        return
    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        _Rate(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console) as bar:
        yield from bar.track(items, total=total, description=description)
