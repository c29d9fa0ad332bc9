"""Figures of `sriqa-calibrate evaluate` inside a weights file: read, checked whose they are."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ...errors import SriqaError
from ...scorers.ours import UNCALIBRATED
from ..evaluation.report import COLUMNS, Row

_NUMBERS = ("value", "ci_low", "ci_high", "p")


def read_figures(files: Sequence[Path], metric: str, known: Collection[str]) -> dict[str, Any]:
    """Rows and notes of evaluations, if they are of this metric's weights and of no others.

    Parameters
    ----------
    files : sequence of Path
        As `sriqa-calibrate evaluate --format json` writes them.
    metric : str
        Its name, which takes the place of the paths that it was evaluated by.
    known : collection of str
        Weights ids that the figures may be of.

    Returns
    -------
    dict
        `rows` and `notes`, plain JSON values. References, which have no weights, are among them.

    Raises
    ------
    SriqaError
        For a file that is no such report, a row of other weights, and a figure that is there twice.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    places: set[tuple[Any, ...]] = set()
    for path in files:
        found = _document(path)
        names: dict[str, str] = {}
        for row in found["rows"]:
            _check(row, path, known, names)
            if row["weights"]:
                suffix = UNCALIBRATED if row["weights"].endswith(UNCALIBRATED) else ""
                names[row["metric"]] = metric + suffix
            row |= {key: names.get(row[key], row[key]) for key in ("metric", "versus")}
            place = tuple(row[key] for key in ("metric", "versus", "data_set", "group", "figure"))
            if place in places:
                raise SriqaError(f"{path}: {' '.join(filter(None, place))} is given twice")
            places.add(place)
            rows.append(row)
        for note in found["notes"]:
            for given, name in names.items():
                note = note.replace(given, name)
            notes.append(note)
    return {"rows": rows, "notes": notes}


def owner(row: dict[str, Any]) -> str:
    """Id of the weights that a row is of; empty for references and differences."""
    return str(row["weights"]).removesuffix(UNCALIBRATED)


def as_rows(rows: Sequence[dict[str, Any]]) -> list[Row]:
    """Plain rows as the report's; what is undefined is NaN again."""
    found: list[dict[str, Any]] = [
        {key: math.nan if value is None else value for key, value in row.items()} for row in rows
    ]
    return [Row(**row) for row in found]


def _check(row: dict[str, Any], path: Path, known: Collection[str], names: Collection[str]) -> None:
    """Refuse a row of weights that are not known, and a difference from another metric."""
    others = {row["metric"], row["versus"]} - set(names) if row["versus"] else set()
    if others or (row["weights"] and owner(row) not in known):
        whose = min(others) if others else f"{row['metric']}, weights {row['weights']},"
        raise SriqaError(
            f"{path}: figures of {whose} are not of these weights, {', '.join(sorted(known))}; "
            "evaluate these alone (their scores are cached)"
        )


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        good = all(map(_is_row, found["rows"])) and all(isinstance(n, str) for n in found["notes"])
    except OSError as error:
        raise SriqaError(f"{path}: cannot read the figures: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError):
        good = False
    if not good or not found["rows"]:
        raise SriqaError(
            f"{path}: holds no figures as `sriqa-calibrate evaluate --format json` writes them"
        )
    return dict(found)


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or set(row) != set(COLUMNS) or type(row["n"]) is not int:
        return False
    numbers = [row[key] for key in _NUMBERS if row[key] is not None]
    if not all(type(value) in (int, float) and math.isfinite(value) for value in numbers):
        return False
    return all(isinstance(row[k], str) for k in set(COLUMNS) - {*_NUMBERS, "n"})
