"""How the filling of a feature store is watched."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from rich import progress as bars
from rich.console import Console
from rich.text import Text

# Passes items on, given what is done to them and how many there are.
Progress = Callable[[Iterable[Any], str, int], Generator[Any, None, None]]


class _Rate(bars.ProgressColumn):
    def render(self, task: bars.Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.1f} images/s")


def progress_bar(items: Iterable[Any], description: str, total: int) -> Generator[Any, None, None]:
    """The items, with a bar, their rate and the time left on stderr, if that is a terminal."""
    console = Console(stderr=True)
    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        _Rate(),
        bars.TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(description, total=total)
        for item in items:
            bar.advance(task)
            yield item
