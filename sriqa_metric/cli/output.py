"""The four forms in which scores are written: table, CSV, JSON, JSON lines."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple, Protocol, TextIO

from ..names import csv_line, visible
from .common import note
from .wrapping import width_of, wrapped


class Summary(NamedTuple):
    """Mean of n scores, and half of its 95 % t interval; None where there is none."""

    n: int
    mean: float | None = None
    half: float | None = None

    @property
    def line(self) -> str:
        """`mean 3.21 ± 0.14 (95 % t interval), n = 24`; empty without an interval."""
        if self.mean is None or self.half is None:
            return ""
        # Two digits of the interval, as comparisons have them.
        places = min(max(1 - math.floor(math.log10(self.half)), 1), 6) if self.half else 3
        mean, half = (f"{value:.{places}f}" for value in (self.mean, self.half))
        return f"mean {mean} ± {half} (95 % t interval), n = {self.n}"


def summary_of(scores: list[float]) -> Summary:
    """What several scores come to; a single one has no interval."""
    if len(scores) < 2:
        return Summary(len(scores), *scores)
    import numpy as np

    from ..compare.statistics import half_intervals

    half = half_intervals(np.array([scores]))
    return Summary(len(scores), float(np.mean(scores)), None if half is None else float(half[0]))


class Writer(Protocol):
    """Takes results one by one, in order; `close` writes what has to wait for the last.

    Where a summary would be no line of the format, it goes to stderr.
    """

    def __init__(self, stream: TextIO, metric: str, weights: str) -> None: ...

    def scored(self, path: str, score: float) -> None: ...

    def failed(self, path: str, error: str) -> None: ...

    def close(self, summary: Summary) -> None: ...


class CsvWriter:
    """One row a file, written as it comes; a failed file has an empty score and its error."""

    def __init__(self, stream: TextIO, metric: str, weights: str) -> None:
        self._stream = stream
        self._source = [metric, weights]
        stream.write(csv_line(["path", "score", "metric", "weights", "error"]))

    def scored(self, path: str, score: float) -> None:
        self._stream.write(csv_line([path, f"{score:.6f}", *self._source, ""]))

    def failed(self, path: str, error: str) -> None:
        self._stream.write(csv_line([path, "", *self._source, error]))

    def close(self, summary: Summary) -> None:
        _note(summary)


class JsonLinesWriter:
    """One object a file, written as it comes, with `score` or `error`."""

    def __init__(self, stream: TextIO, metric: str, weights: str) -> None:
        self._stream = stream
        self._source = {"metric": metric, "weights": weights}

    def _write(self, values: dict[str, Any]) -> None:
        print(json.dumps(values | self._source, allow_nan=False), file=self._stream, flush=True)

    def scored(self, path: str, score: float) -> None:
        self._write({"path": path, "score": round(score, 6)})

    def failed(self, path: str, error: str) -> None:
        self._write({"path": path, "error": error})

    def close(self, summary: Summary) -> None:
        _note(summary)


class JsonWriter:
    """One document, written at the end."""

    def __init__(self, stream: TextIO, metric: str, weights: str) -> None:
        self._stream = stream
        self._results: list[dict[str, Any]] = []
        self._failed: list[dict[str, Any]] = []
        self._document = {
            "metric": metric,
            "weights": weights,
            "higher_is_better": True,
            "results": self._results,
            "failed": self._failed,
        }

    def scored(self, path: str, score: float) -> None:
        self._results.append({"path": path, "score": round(score, 6)})

    def failed(self, path: str, error: str) -> None:
        self._failed.append({"path": path, "error": error})

    def close(self, summary: Summary) -> None:
        n, mean, half = summary
        low, high = (None, None) if mean is None or half is None else (mean - half, mean + half)
        figures = {"mean": mean, "ci_low": low, "ci_high": high}
        self._document |= {"n": n} | {
            name: None if value is None else round(value, 6) for name, value in figures.items()
        }
        json.dump(self._document, self._stream, indent=2, allow_nan=False)
        self._stream.write("\n")


class TableWriter:
    """A table for people, written at the end; failed files are left to stderr."""

    def __init__(self, stream: TextIO, metric: str, weights: str) -> None:
        from rich import box
        from rich.table import Table

        self._stream = stream
        self._source = visible(f"{metric}, weights {weights}; higher is better")
        self._table = Table(box=box.SIMPLE_HEAD)
        self._table.add_column("file", overflow="fold")
        self._table.add_column("score", justify="right", no_wrap=True)

    def scored(self, path: str, score: float) -> None:
        from rich.text import Text

        self._table.add_row(Text(visible(path)), f"{score:.4f}")

    def failed(self, path: str, error: str) -> None:
        """Named on stderr already."""

    def close(self, summary: Summary) -> None:
        from rich.console import Console

        width = width_of(self._stream)
        Console(file=self._stream, width=width or 10_000).print(self._table)
        for line in filter(None, (self._source, summary.line)):
            print(wrapped(line, width), file=self._stream)


def _note(summary: Summary) -> None:
    if summary.line:
        note(summary.line)


WRITERS: dict[str, type[Writer]] = {
    "table": TableWriter,
    "csv": CsvWriter,
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
}
