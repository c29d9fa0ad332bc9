"""Lines for people, no wider than their terminal; a hash or a path is never broken."""

from __future__ import annotations

import shutil
import textwrap
from typing import TextIO


def width_of(stream: TextIO) -> int | None:
    """Columns of a terminal; a file or a pipe has none: lines are kept whole there."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def wrapped(line: str, width: int | None, indent: str = "") -> str:
    """A line broken between words; a word that is wider than the terminal keeps a line of its own.

    Parameters
    ----------
    line : str
    width : int or None
        As `width_of` says.
    indent : str
        Before the line; what follows of it stands two blanks further in.
    """
    if width is None:
        return indent + line
    return textwrap.fill(
        line,
        width,
        initial_indent=indent,
        subsequent_indent=indent + "  " * bool(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
