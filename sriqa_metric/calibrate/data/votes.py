"""Votes on pairs of SR results, read from either of two CSV files into one structure.

RealSR-1K's schema, one line per image pair: `sr_pair_names` (A_B), `group`, `name1_column` and
`name2_column` (`<content>_<method>.png`), `score1_column` and `score2_column` (fractions of the
votes, which sum to one). Other columns are not read.

Tidy schema, one line per vote: `observer`, `content`, `method_a`, `method_b` and `choice`
(a | b | tie). Optional: `group` (as above), `kind` and `expected`. Other columns (`session`,
`side_shown`, `response_ms`, `timestamp`, ...) are not read. `kind` says what the vote is for:

- `trial`, or empty: it counts in the ranking;
- `training`: the observer was learning the task; only counted in the report;
- `repeat`: the same question again; compared with the observer's first trial vote on the same
  content and methods, and not counted twice in the ranking;
- `obvious`: an attention check, whose right answer is in `expected` (a | b); not counted in the
  ranking.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from ...errors import SriqaError

REALSR1K_COLUMNS = (
    "sr_pair_names",
    "group",
    "name1_column",
    "name2_column",
    "score1_column",
    "score2_column",
)
TIDY_COLUMNS = ("observer", "content", "method_a", "method_b", "choice")
TIDY_OPTIONAL = ("group", "kind", "expected")
KINDS = ("trial", "training", "repeat", "obvious")
CHOICES = {"a": 1.0, "b": 0.0, "tie": 0.5}
VOTES_PER_PAIR = 23
_CHUNK = 512  # rows at once; larger chunks are slower


@dataclass(frozen=True)
class Votes:
    """R rows, each one or more votes on one image pair.

    Parameters
    ----------
    methods, contents, groups : tuple of str
        Names, sorted. `methods` are those to rank; a method that only occurs in rows that are
        no trials is in `other_methods`, and its index follows those of `methods`.
    first, second, content, group : ndarray of int, (R,)
        The two methods, the content and the group of each row, as indices.
    wins, total : ndarray, (R,)
        Votes for the first method and votes in all; a tie is half a win.
    kind : ndarray of int, (R,)
        Index into `KINDS`.
    expected : ndarray, (R,)
        The right `wins` of an obvious row, NaN elsewhere.
    observers : tuple of str
        Names, sorted; empty where the file does not say who voted.
    observer : ndarray of int, (R,)
        Who voted; zeros where the file does not say.
    other_methods : tuple of str
    """

    methods: tuple[str, ...]
    contents: tuple[str, ...]
    groups: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    content: np.ndarray
    group: np.ndarray
    wins: np.ndarray
    total: np.ndarray
    kind: np.ndarray
    expected: np.ndarray
    observers: tuple[str, ...]
    observer: np.ndarray
    other_methods: tuple[str, ...] = ()

    def select(self, rows: np.ndarray) -> Votes:
        """The given rows; names and indices stay as they are."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ROW_ARRAYS})

    def of_kind(self, kind: str) -> Votes:
        """The rows of one kind."""
        return self.select(self.kind == KINDS.index(kind))

    def pair_keys(self) -> np.ndarray:
        """One integer per row, equal where the two methods are the same, in either order."""
        n = len(self.methods) + len(self.other_methods)
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        return low.astype(np.int64) * n + high


_ROW_ARRAYS = (
    "first",
    "second",
    "content",
    "group",
    "wins",
    "total",
    "kind",
    "expected",
    "observer",
)


@dataclass(frozen=True)
class ImagePairs:
    """P image pairs: the votes summed over observers, for each group, content and method pair.

    Parameters
    ----------
    first, second, group : ndarray of int, (P,)
    wins, total : ndarray, (P,)
    position : ndarray of int, (P,)
        Which of its method pair's image pairs it is, from 0, in the order of the file.
    """

    first: np.ndarray
    second: np.ndarray
    group: np.ndarray
    wins: np.ndarray
    total: np.ndarray
    position: np.ndarray


def image_pairs(votes: Votes) -> ImagePairs:
    """Sum votes over observers."""
    pair = votes.pair_keys()
    key = (pair * max(len(votes.groups), 1) + votes.group) * len(votes.contents) + votes.content
    _, row, inverse = np.unique(key, return_index=True, return_inverse=True)
    low = votes.first < votes.second
    wins = np.bincount(inverse, np.where(low, votes.wins, votes.total - votes.wins))
    total = np.bincount(inverse, votes.total)
    order = np.lexsort((row, pair[row]))
    row = row[order]
    _, start, size = np.unique(pair[row], return_index=True, return_counts=True)
    return ImagePairs(
        first=np.minimum(votes.first, votes.second)[row],
        second=np.maximum(votes.first, votes.second)[row],
        group=votes.group[row],
        wins=wins[order],
        total=total[order],
        position=np.arange(len(row)) - np.repeat(start, size),
    )


def read_votes(path: Path, votes_per_pair: int = VOTES_PER_PAIR) -> Votes:
    """Read votes in either schema; the header says which.

    Parameters
    ----------
    path : Path
        CSV file.
    votes_per_pair : int
        Votes that the fractions of RealSR-1K's schema are fractions of.

    Raises
    ------
    SriqaError
        For a file that cannot be read, columns of neither schema, a line with too many or too
        few fields, an empty name, a method compared with itself, an unknown choice or kind, an
        obvious row without its expected answer, fractions that are no fractions of
        `votes_per_pair` votes, or no trial at all.
    """
    if votes_per_pair < 1:
        raise SriqaError(f"votes per pair is {votes_per_pair}; it must be at least 1")
    table = _read_table(path)
    if "sr_pair_names" in table.columns:
        return _read_realsr1k(table, votes_per_pair)
    votes = _read_tidy(table)
    if not (votes.kind == KINDS.index("trial")).any():
        kinds = ", ".join(KINDS[k] for k in np.unique(votes.kind))
        raise SriqaError(f"{path}: no votes to rank by: no row is a trial, only {kinds}")
    return votes


class _Codes(dict[str, int]):
    """Numbers values in the order in which they are first looked up."""

    def __missing__(self, value: str) -> int:
        self[value] = code = len(self)
        return code


@dataclass(frozen=True)
class _Column:
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
class _Table:
    path: Path
    columns: dict[str, _Column]
    n_rows: int

    def require(self, good: np.ndarray, message: str, *names: str) -> None:
        """Raise for the first row that is not good; `{}` in the message quotes the columns."""
        if not good.all():
            row = int(np.argmin(good))
            values = [repr(self.columns[n].values[self.columns[n].codes[row]]) for n in names]
            raise SriqaError(
                f"{self.path}: line {_line(self.path, row)}: {message.format(*values)}"
            )


def _read_table(path: Path) -> _Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return _read_columns(path, stream)
    except OSError as error:
        raise SriqaError(f"{path}: {error.strerror}; expected a CSV file of votes") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SriqaError(f"{path}: not a CSV file in UTF-8: {error}") from None


def _read_columns(path: Path, stream: TextIO) -> _Table:
    reader = csv.reader(stream)
    header = next(reader, [])
    wanted = _wanted(path, header)
    places = [header.index(name) for name in wanted]
    codes = [_Codes() for _ in wanted]
    parts: list[list[np.ndarray]] = [[] for _ in wanted]
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
        raise SriqaError(f"{path}: no votes, only a header")
    return _Table(
        path,
        {
            name: _Column(tuple(code), np.concatenate(part))
            for name, code, part in zip(wanted, codes, parts, strict=True)
        },
        n_rows,
    )


def _wanted(path: Path, header: list[str]) -> tuple[str, ...]:
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise SriqaError(f"{path}: the column {twice[0]!r} occurs twice")
    required: tuple[str, ...] = TIDY_COLUMNS
    optional: tuple[str, ...] = TIDY_OPTIONAL
    if "sr_pair_names" in header:
        required, optional = REALSR1K_COLUMNS, ()
    missing = [name for name in required if name not in header]
    if missing:
        raise SriqaError(
            f"{path}: no column {', '.join(missing)}; expected either "
            f"{','.join(TIDY_COLUMNS)} (one line per vote) or {','.join(REALSR1K_COLUMNS)}"
        )
    return required + tuple(name for name in optional if name in header)


def _line(path: Path, row: int) -> int:
    """Line of the file on which a row ends; the header and empty lines are no rows."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream)
        next(reader)
        next(islice(filter(None, reader), row, None))
        return reader.line_num


def _read_tidy(table: _Table) -> Votes:
    columns = table.columns
    for name in ("observer", "content", "method_a", "method_b"):
        table.require(~columns[name].rows(""), f"{name} is empty")
    choice = columns["choice"].mapped(CHOICES)
    table.require(~np.isnan(choice), "choice is {}; it must be a, b or tie", "choice")
    kind = np.zeros(table.n_rows, dtype=np.int8)
    expected = np.full(table.n_rows, np.nan)
    if "kind" in columns:
        known = {"": 0, **{name: code for code, name in enumerate(KINDS)}}
        found = columns["kind"].mapped(known, -1)
        table.require(found >= 0, f"kind is {{}}; it must be one of {', '.join(KINDS)}", "kind")
        kind = found.astype(np.int8)
    obvious = kind == KINDS.index("obvious")
    if "expected" in columns:
        right = columns["expected"].mapped({"a": 1.0, "b": 0.0})
        message = "expected is {}; the right answer of an obvious row must be a or b"
        table.require(~(obvious & np.isnan(right)), message, "expected")
        expected[obvious] = right[obvious]
    else:
        table.require(~obvious, "an obvious row needs its right answer in a column 'expected'")
    names_a, names_b = (columns[name].values for name in ("method_a", "method_b"))
    index = {name: k for k, name in enumerate(sorted({*names_a, *names_b}))}
    first, second = (
        columns[name].mapped(index).astype(np.int32) for name in ("method_a", "method_b")
    )
    table.require(first != second, "both methods are {}", "method_a")
    observers, observer = _sorted(columns["observer"])
    contents, content = _sorted(columns["content"])
    groups, group = (
        _sorted(columns["group"]) if "group" in columns else ((), np.zeros_like(content))
    )
    votes = Votes(
        methods=tuple(index),
        contents=contents,
        groups=groups,
        first=first,
        second=second,
        content=content,
        group=group,
        wins=choice,
        total=np.ones(table.n_rows),
        kind=kind,
        expected=expected,
        observers=observers,
        observer=observer,
    )
    return _trial_methods_first(votes)


def _sorted(column: _Column) -> tuple[tuple[str, ...], np.ndarray]:
    """A column's values sorted, and each row's index into them."""
    order = sorted(range(len(column.values)), key=column.values.__getitem__)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order))
    return tuple(column.values[k] for k in order), place[column.codes]


def _trial_methods_first(votes: Votes) -> Votes:
    """Number the methods so that those without a trial come last, as `other_methods`."""
    trial = votes.kind == KINDS.index("trial")
    ranked = np.zeros(len(votes.methods), dtype=bool)
    ranked[votes.first[trial]] = ranked[votes.second[trial]] = True
    order = np.argsort(~ranked, kind="stable")
    place = np.argsort(order).astype(np.int32)
    names = tuple(votes.methods[k] for k in order)
    n = int(ranked.sum())
    return replace(
        votes,
        methods=names[:n],
        other_methods=names[n:],
        first=place[votes.first],
        second=place[votes.second],
    )


def _read_realsr1k(table: _Table, votes_per_pair: int) -> Votes:
    columns = table.columns
    table.require(~columns["group"].rows(""), "group is empty")
    score1, score2 = (_fractions(table, name) for name in ("score1_column", "score2_column"))
    table.require(
        np.abs(score1 + score2 - 1) < 1e-6,
        "score1_column {} and score2_column {} do not sum to one",
        "score1_column",
        "score2_column",
    )
    halves = 2 * votes_per_pair * score1
    table.require(
        np.abs(halves - halves.round()) < 1e-3,
        f"score1_column {{}} is no fraction of {votes_per_pair} votes (ties count half); "
        "give the number of votes per pair, or a file with one line per vote",
        "score1_column",
    )
    pair, name1, name2 = (columns[n] for n in ("sr_pair_names", "name1_column", "name2_column"))
    found = [
        _split(pair.values[p], name1.values[a], name2.values[b])
        for p, a, b in zip(pair.codes, name1.codes, name2.codes, strict=True)
    ]
    table.require(
        np.array([len(splits) == 1 for splits in found]),
        "sr_pair_names {} (A_B), name1_column {} and name2_column {} (<content>_A.png and "
        "<content>_B.png) do not name two methods and one content",
        "sr_pair_names",
        "name1_column",
        "name2_column",
    )
    content, first, second = zip(*(splits[0] for splits in found), strict=True)
    methods, method = np.unique([first, second], return_inverse=True)
    method = method.reshape(2, -1)
    contents, content_code = np.unique(content, return_inverse=True)
    groups, group = _sorted(columns["group"])
    return Votes(
        methods=tuple(methods.tolist()),
        contents=tuple(contents.tolist()),
        groups=groups,
        first=method[0],
        second=method[1],
        content=content_code,
        group=group,
        wins=halves.round() / 2,
        total=np.full(table.n_rows, float(votes_per_pair)),
        kind=np.zeros(table.n_rows, dtype=np.int8),
        expected=np.full(table.n_rows, np.nan),
        observers=(),
        observer=np.zeros(table.n_rows, dtype=np.int32),
    )


def _fractions(table: _Table, name: str) -> np.ndarray:
    numbers = {}
    for value in table.columns[name].values:
        with suppress(ValueError):
            numbers[value] = float(value)
    fraction = table.columns[name].mapped(numbers)
    good = (fraction >= 0) & (fraction <= 1)
    table.require(good, f"{name} is {{}}; it must be a number from 0 to 1", name)
    return fraction


def _split(pair: str, name1: str, name2: str) -> list[tuple[str, str, str]]:
    """Every (content, A, B) that makes the pair A_B and the names <content>_A, <content>_B.

    Contents and methods may contain `_` themselves.
    """
    stem1, stem2 = name1.rpartition(".")[0], name2.rpartition(".")[0]
    found = []
    for k, character in enumerate(pair):
        a, b = pair[:k], pair[k + 1 :]
        if character != "_" or not a or not b or a == b:
            continue
        content = stem1.removesuffix(f"_{a}")
        if content and stem1 == f"{content}_{a}" and stem2 == f"{content}_{b}":
            found.append((content, a, b))
    return found
