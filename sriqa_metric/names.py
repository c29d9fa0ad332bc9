"""Names that others chose, of files and methods, as they are written for people and programs.

Names in memory are exact, and so they are in JSON. What is shown or read by other programs is made
harmless here: control characters on terminals and pages, markup in Markdown, formulas in CSV.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_FORMULA = "=+-@\t\r\n"  # a spreadsheet runs what begins so
_MARKED = re.compile(rf"'+[{re.escape(_FORMULA)}]")


def visible(text: str) -> str:
    r"""A text with what does not print as it is written in Python: `\x1b`, `\n`, `\u202e`.

    Letters of every script stay, as do all kinds of blanks; a byte that is no text is `\xNN`.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(sign: str) -> str:
    if sign.isprintable() or unicodedata.category(sign) == "Zs":
        return sign
    if "\udc80" <= sign <= "\udcff":  # how Python keeps a byte that is no text
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode()


def one_line(text: str) -> str:
    """A visible text with single blanks, also where it has line breaks."""
    return visible(" ".join(text.split()))


def markdown(text: str) -> str:
    """A text as Markdown has to have it to show it, on one line."""
    # Inside a word an underscore is one.
    marks = r"([\\`*\[\]<>|#&~$]|(?<![^\W_])_|_(?![^\W_]))"
    escaped = re.sub(marks, r"\\\1", one_line(text))
    return re.sub(r"^([-+=]+(?=\s|$)|\d+(?=[.)](\s|$)))", _no_list, escaped)


def _no_list(start: re.Match[str]) -> str:
    return f"{start[0]}\\" if start[0].isdigit() else f"\\{start[0]}"


def counted(number: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def csv_line(values: Iterable[object]) -> str:
    r"""A line of CSV; nothing in it is a formula to a spreadsheet.

    A text that begins with `=`, `+`, `-`, `@`, a tab or a line break, and is no number, gets an
    apostrophe before it, and so does one that begins with apostrophes and then one of these;
    `csv_name` takes it away.
    """
    return ",".join(_cell("" if value is None else str(value)) for value in values) + "\n"


def _cell(text: str) -> str:
    if _MARKED.match(f"'{text}") and not _is_number(text):
        text = f"'{text}"
    if any(sign in text for sign in ',"\r\n'):  # a lone \r ends a line, too, for many readers
        return '"' + text.replace('"', '""') + '"'
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return not text[0].isspace()


def csv_name(text: str) -> str:
    """What `csv_line` was given; other texts stay as they are."""
    return text[1:] if _MARKED.match(text) else text
