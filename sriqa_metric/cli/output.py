"""The four forms in which scores are written: table, CSV, JSON, JSON lines."""

from __future__ import annotations

import json
from typing import Any, Protocol, TextIO

from ..names import csv_line, visible


class Writer(Protocol):
    """Takes results one by one, in order; `close` writes what has to wait for the last."""

    def __init__(self, stream: TextIO, metric: str, weights: str) -> None: ...

    def scored(self, path: str, score: float) -> None: ...

    def failed(self, path: str, error: str) -> None: ...

    def close(self) -> None: ...


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

    def close(self) -> None:
        """Nothing waits."""


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

    def close(self) -> None:
        """Nothing waits."""


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

    def close(self) -> None:
        json.dump(self._document, self._stream, indent=2, allow_nan=False)
        self._stream.write("\n")


class TableWriter:
    """A table for people, written at the end; failed files are left to stderr."""

    def __init__(self, stream: TextIO, metric: str, weights: str) -> None:
        from rich import box
        from rich.table import Table

        self._stream = stream
        caption = visible(f"{metric}, weights {weights}; higher is better")
        self._table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
        self._table.add_column("file", overflow="fold")
        self._table.add_column("score", justify="right", no_wrap=True)

    def scored(self, path: str, score: float) -> None:
        from rich.text import Text

        self._table.add_row(Text(visible(path)), f"{score:.4f}")

    def failed(self, path: str, error: str) -> None:
        """Named on stderr already."""

    def close(self) -> None:
        from rich.console import Console

        # A file or a pipe has no width: lines are kept whole there.
        width = None if self._stream.isatty() else 10_000
        Console(file=self._stream, width=width).print(self._table)


WRITERS: dict[str, type[Writer]] = {
    "table": TableWriter,
    "csv": CsvWriter,
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
}
