"""Reading the files in which labels come: CSV tables with named columns, and plain lists."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .errors import SriqaError
from .names import csv_name

_HEADER = ["name", "mos"]
_CHUNK = 512  # rows at once; larger chunks are slower
_LONGEST = 4096  # characters of a field: a path has no more
_TOO_LONG = "has a field of {} characters; is a quote missing?"
_LARGEST = 1e15  # squares of larger numbers overflow in float32


def read_text(path: Path, expected: str = "a CSV file") -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Raises
    ------
    SriqaError
        If it cannot be read, or is in another encoding; the line is named.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SriqaError(f"{path}: {error.strerror}; expected {expected}") from None
    way_out = "save the file as UTF-8"
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise SriqaError(f"{path}: line {line}: has a NUL byte, as UTF-16 has; {way_out}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise SriqaError(f"{path}: line {line}: byte 0x{byte:02x} is no UTF-8; {way_out}") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a file in UTF-8; only line feeds and carriage returns end one."""
    text = io.StringIO(read_text(path, "a list"), newline=None)
    return [line.removesuffix("\n") for line in text]


def _reader(text: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), strict=True)


@contextmanager
def _named_errors(path: Path, reader: Any) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise SriqaError(
            f"{path}: line {reader.line_num}: is no CSV: {error}; is a quote missing?"
        ) from None


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Lines of a CSV file as (line number, row); every field of `columns` is there.

    Fields are what `names.csv_line` was given. A line may lack its last fields, and have empty
    ones more than the header.

    Raises
    ------
    SriqaError
        For a file that cannot be read, a column of `columns` that is missing or there twice, or a
        line with an empty field of them, one that is far too long, or too many fields.
    """
    reader = _reader(read_text(path, f"a CSV file {','.join(columns)}"))
    with _named_errors(path, reader):
        header: list[str] = next(reader, [])
        missing = [name for name in columns if name not in header]
        if missing:
            raise SriqaError(
                f"{path}: no column {', '.join(missing)}; expected {','.join(columns)}, "
                f"found {_short(','.join(header))!r}"
            )
        for name in columns:
            if header.count(name) > 1:
                raise SriqaError(f"{path}: the column {name!r} occurs twice; keep one")
        for fields in filter(None, reader):
            where = f"{path}: line {reader.line_num}"
            if any(fields[len(header) :]):
                raise SriqaError(
                    f"{where}: {len(fields)} fields, but the header has {len(header)}: "
                    f"{_short(','.join(fields))!r}"
                )
            if (longest := max(map(len, fields))) > _LONGEST:
                raise SriqaError(f"{where}: {_TOO_LONG.format(longest)}")
            row = dict(zip(header, map(csv_name, fields), strict=False))
            for name in columns:
                if not row.get(name, "").strip():
                    raise SriqaError(f"{where}: {name} is missing")
            yield reader.line_num, row


def read_list(path: Path) -> dict[str, float]:
    """A list of names and numbers, one of each on a line, in either order.

    Raises
    ------
    SriqaError
        For a file that cannot be read, a line that is not a name and a number, a name given
        twice, or an empty list.
    """
    found: dict[str, float] = {}
    for number, line in enumerate(read_lines(path), start=1):
        parts = line.split(",") if "," in line else re.split(r"[ \t]+", line.strip())
        fields = [field.strip() for field in parts]
        if not line.strip() or (number == 1 and [field.lower() for field in fields] == _HEADER):
            continue
        values = [_number(field) for field in fields]
        if len(fields) != 2 or sum(value is None for value in values) != 1:
            raise SriqaError(f"{path}: line {number}: {_short(line)!r} is not a name and a number")
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
    return value if abs(value) < _LARGEST and "_" not in text else None


def number_of(path: Path, line: int, row: Mapping[str, str], column: str) -> float:
    """A field as a finite number of usual size; the error names file, line and value."""
    value = _number(row[column])
    if value is None:
        raise SriqaError(
            f"{path}: line {line}: {column} is {_short(row[column])!r}, not a number "
            "(below 1e15, with a decimal point)"
        )
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
    text : str
        The whole file.
    """

    path: Path
    columns: dict[str, Column]
    n_rows: int
    text: str

    def require(self, good: np.ndarray, message: str, *names: str) -> None:
        """Raise for the first row that is not good; `{}` in the message quotes the columns."""
        if not good.all():
            row = int(np.argmin(good))
            fields = (self.columns[n].values[self.columns[n].codes[row]] for n in names)
            values = [repr(_short(field)) for field in fields]
            raise SriqaError(
                f"{self.path}: line {_line(self.text, row)}: {message.format(*values)}"
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
        For a file that cannot be read, a line with too many or too few fields, or one that is far
        too long, or no line.
    """
    text = read_text(path)
    reader = _reader(text)
    with _named_errors(path, reader):
        return _read_columns(path, text, reader, wanted)


def _read_columns(
    path: Path, text: str, reader: Any, wanted: Callable[[Path, list[str]], Sequence[str]]
) -> Table:
    header: list[str] = next(reader, [])
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
                f"{path}: line {_line(text, n_rows + k)}: {len(row)} fields, "
                f"but the header has {len(header)}: {_short(','.join(row))!r}"
            )
        fields = list(zip(*rows, strict=True))
        for place, code, part in zip(places, codes, parts, strict=True):
            part.append(np.fromiter(map(code.__getitem__, fields[place]), np.int32, len(rows)))
        n_rows += len(rows)
    if not n_rows:
        raise SriqaError(f"{path}: no lines, only a header")
    columns = {}
    for name, code, part in zip(names, codes, parts, strict=True):
        rows_of = np.concatenate(part)
        for field, k in code.items():
            if len(field) > _LONGEST:
                line = _line(text, int(np.argmax(rows_of == k)))
                raise SriqaError(f"{path}: line {line}: {_TOO_LONG.format(len(field))}")
        given = _Codes()
        places_of = np.array([given[csv_name(field)] for field in code], np.int32)
        columns[name] = Column(tuple(given), places_of[rows_of])
    return Table(path, columns, n_rows, text)


def _line(text: str, row: int) -> int:
    """Line of the file on which a row ends; the header and empty lines are no rows."""
    reader = _reader(text)
    next(reader)
    next(islice(filter(None, reader), row, None))
    return int(reader.line_num)
