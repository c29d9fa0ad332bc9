"""One odd or hostile file: its bytes, and what reading it must give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

CUT = "is cut off or damaged"


@dataclass(frozen=True)
class Case:
    """One path, and what reading it must give.

    Parameters
    ----------
    name : str
    given : str
        What it is, for people.
    file : str
        Its name in a folder.
    data : callable or None
        Gives its bytes, when they are wanted; None where there is no file.
    error : str or tuple of str
        What the message must contain (or one of several), where it cannot be read.
    expect : ndarray, (H, W, 3), or callable that gives it, or None
        Exact pixels: uint8, or float32 in [0, 1] within 1e-6.
    shape : (H, W) or None
        Size of the picture, where the pixels are not known exactly.
    answer : str
        What happens, for people; of an error its message.
    big : bool
        Takes seconds or gigabytes to read.
    place : callable or None
        Makes at a path what is no plain file.
    """

    name: str
    given: str
    file: str
    data: Callable[[], bytes] | None = None
    error: str | tuple[str, ...] = ()
    expect: np.ndarray | Callable[[], np.ndarray] | None = None
    shape: tuple[int, int] | None = None
    answer: str = ""
    big: bool = False
    place: Callable[[Path], None] | None = None

    @property
    def ok(self) -> bool:
        """Whether it can be read."""
        return not self.error

    @property
    def errors(self) -> tuple[str, ...]:
        """The messages, one of which is right."""
        return (self.error,) if isinstance(self.error, str) else self.error

    @property
    def pixels(self) -> np.ndarray | None:
        """What `expect` says."""
        return self.expect() if callable(self.expect) else self.expect

    def put(self, folder: Path) -> Path:
        """Make it in a folder, unless it is there."""
        path = folder / self.file
        if self.data and not path.exists():
            path.write_bytes(self.data())
        if self.place:
            self.place(path)
        return path

    @property
    def row(self) -> pytest.MarkDecorator:
        """Its row in the table of answers."""
        exact = "read, with exactly the pixels that were written"
        answer = "read" if self.expect is None else exact
        if self.error:
            answer = f"error: {self.errors[0]}"
        return pytest.mark.answers("Image files", self.given, self.answer or answer)
