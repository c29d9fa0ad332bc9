"""Reading votes from either of two CSV files.

RealSR-1K's schema, one line per image pair: `sr_pair_names` (A_B), `group`, `name1_column` and
`name2_column` (`<content>_<method>.png`), `score1_column` and `score2_column` (fractions of the
votes, which sum to one). Other columns are not read.

Tidy schema, one line per vote: `observer`, `content`, `method_a`, `method_b` and `choice`
(a | b | tie). Optional: `group` (as above), `kind` (see `votes`; a trial where it is empty) and
`expected` (a | b), the right answer of an obvious row. Other columns (`session`, `side_shown`,
`response_ms`, `timestamp`, ...) are not read.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...csv_files import Column, Table, read_columns
from ...errors import SriqaError
from ..config import VOTES_PER_PAIR
from .votes import KINDS, Votes

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
CHOICES = {"a": 1.0, "b": 0.0, "tie": 0.5}


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
    table = read_columns(path, _wanted)
    if "sr_pair_names" in table.columns:
        return _read_realsr1k(table, votes_per_pair)
    votes = _read_tidy(table)
    if not (votes.kind == KINDS.index("trial")).any():
        kinds = ", ".join(KINDS[k] for k in np.unique(votes.kind))
        raise SriqaError(f"{path}: no votes to rank by: no row is a trial, only {kinds}")
    return votes


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


def _read_tidy(table: Table) -> Votes:
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


def _sorted(column: Column) -> tuple[tuple[str, ...], np.ndarray]:
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


def _read_realsr1k(table: Table, votes_per_pair: int) -> Votes:
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


def _fractions(table: Table, name: str) -> np.ndarray:
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
