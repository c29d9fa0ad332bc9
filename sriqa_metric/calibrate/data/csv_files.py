"""Reading the files in which labels come: CSV tables with named columns, and plain lists."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from ...errors import SriqaError

_HEADER = ["name", "mos"]
_CHUNK = 512  # rows at once; larger chunks are slower


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


class _Codes(dict[str, int]):
    """Numbers values in the order in which they are first looked up."""

    def __missing__(self, value: str) -> int:
        self[value] = code = len(self)
        return code


@dataclass(frozen=True)
class Column:
    """Distinct values of a column, and each row's index into them."""

    values: tuple[str, ...]
    codes: np.ndarray

    def rows(self, value: str) -> np.ndarray:
        """Whether each row has this value."""
        if value not in self.values:
            return np.zeros(len(self.codes), dtype=bool)
        return self.codes == self.values.index(value)

    def mapped(self, table: Mapping[str, float], default: float = np.nan) -> np.ndarray:
        """Each row's value, looked up in a table."""
        found = np.array([table.get(value, default) for value in self.values], dtype=float)
        return found[self.codes]


@dataclass(frozen=True)
class Table:
    """Some columns of a CSV file.

    Parameters
    ----------
    path : Path
    columns : dict
    n_rows : int
    """

    path: Path
    columns: dict[str, Column]
    n_rows: int

    def require(self, good: np.ndarray, message: str, *names: str) -> None:
        """Raise for the first row that is not good; `{}` in the message quotes the columns."""
        if not good.all():
            row = int(np.argmin(good))
            values = [repr(self.columns[n].values[self.columns[n].codes[row]]) for n in names]
            raise SriqaError(
                f"{self.path}: line {_line(self.path, row)}: {message.format(*values)}"
            )


def read_columns(path: Path, wanted: Callable[[Path, list[str]], Sequence[str]]) -> Table:
    """Read some columns of a CSV file: fast where few different values fill many lines.

    Parameters
    ----------
    path : Path
    wanted : callable
        Path and header -> names of the columns to read; it raises where one is missing.

    Raises
    ------
    SriqaError
        For a file that cannot be read, a line with too many or too few fields, or no line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return _read_columns(path, stream, wanted)
    except OSError as error:
        raise SriqaError(f"{path}: {error.strerror}; expected a CSV file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SriqaError(f"{path}: not a CSV file in UTF-8: {error}") from None


def _read_columns(
    path: Path, stream: TextIO, wanted: Callable[[Path, list[str]], Sequence[str]]
) -> Table:
    reader = csv.reader(stream)
    header = next(reader, [])
    names = wanted(path, header)
    places = [header.index(name) for name in names]
    codes = [_Codes() for _ in names]
    parts: list[list[np.ndarray]] = [[] for _ in names]
    n_rows = 0
    while chunk := list(islice(reader, _CHUNK)):
        rows = [row for row in chunk if row]
        if not rows:
            continue
        if set(map(len, rows)) != {len(header)}:
            k, row = next((k, row) for k, row in enumerate(rows) if len(row) != len(header))
            raise SriqaError(
                f"{path}: line {_line(path, n_rows + k)}: {len(row)} fields, "
                f"but the header has {len(header)}: {','.join(row)!r}"
            )
        fields = list(zip(*rows, strict=True))
        for place, code, part in zip(places, codes, parts, strict=True):
            part.append(np.fromiter(map(code.__getitem__, fields[place]), np.int32, len(rows)))
        n_rows += len(rows)
    if not n_rows:
        raise SriqaError(f"{path}: no lines, only a header")
    return Table(
        path,
        {
            name: Column(tuple(code), np.concatenate(part))
            for name, code, part in zip(names, codes, parts, strict=True)
        },
        n_rows,
    )


def _line(path: Path, row: int) -> int:
    """Line of the file on which a row ends; the header and empty lines are no rows."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream)
        next(reader)
        next(islice(filter(None, reader), row, None))
        return reader.line_num
