"""Reading the files in which labels come: CSV tables with named columns, and plain lists."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import SriqaError

_HEADER = ["name", "mos"]


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Lines of a CSV file as (line number, row); every field of `columns` is there.

    Raises
    ------
    SriqaError
        For a file that cannot be read, a missing column, or a line with an empty field.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise SriqaError(
                    f"{path}: no column {', '.join(missing)}; expected {','.join(columns)}"
                )
            for row in reader:
                for name in columns:
                    if not row[name]:
                        raise SriqaError(f"{path}: line {reader.line_num}: {name} is missing")
                yield reader.line_num, row
    except OSError as error:
        wanted = ",".join(columns)
        raise SriqaError(f"{path}: {error.strerror}; expected a CSV file {wanted}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SriqaError(f"{path}: not a CSV file in UTF-8: {error}") from None


def read_list(path: Path) -> dict[str, float]:
    """A list of names and numbers, one of each on a line, in either order.

    Raises
    ------
    SriqaError
        For a file that cannot be read, a line that is not a name and a number, a name given
        twice, or an empty list.
    """
    found: dict[str, float] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SriqaError(f"{path}: cannot read the list: {error}") from None
    for number, line in enumerate(lines, start=1):
        fields = [field.strip() for field in (line.split(",") if "," in line else line.split())]
        if not line.strip() or (number == 1 and [field.lower() for field in fields] == _HEADER):
            continue
        values = [_number(field) for field in fields]
        if len(fields) != 2 or sum(value is None for value in values) != 1:
            raise SriqaError(f"{path}: line {number}: {line!r} is not a name and a number")
        mos_first = values[0] is not None
        name = fields[mos_first].replace("\\", "/")
        if name in found:
            raise SriqaError(f"{path}: line {number}: {name!r} is named twice")
        found[name] = float(fields[not mos_first])
    if not found:
        raise SriqaError(f"{path}: no labels in it")
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def number_of(path: Path, line: int, row: Mapping[str, str], column: str) -> float:
    """A field as a finite number; the error names file, line and value."""
    value = _number(row[column])
    if value is None:
        raise SriqaError(f"{path}: line {line}: {column} is {row[column]!r}, not a number")
    return value


def find_one(kind: str, root: Path, names: Sequence[str], layout: str) -> Path:
    """The first of these files that is in the folder; the error lists them and the layout."""
    for name in names:
        if (root / name).is_file():
            return root / name
    reason = "found none of the label files" if root.is_dir() else "no such folder"
    raise SriqaError(f"{root}: {reason} of {kind}; looked for {', '.join(names)}; {layout}")
