"""The output of a data set: a folder of Parquet files, each whole or not there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from pyarrow import fs

from ..errors import SriqaError
from ..files import replaced, sweep
from .places import located, reason_of

SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("score", pa.float64()),
        ("error", pa.string()),
        ("metric", pa.string()),
        ("weights", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)
_ROWS = 10_000  # of a file
_SECONDS = 30.0  # after which what there is becomes a file


def digests(names: Iterable[str]) -> np.ndarray:
    """64 bits of each name, (n,) uint64.

    Two of 10 million names have the same with a probability of 3 in a million.
    """
    found = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.frombuffer(b"".join(found), "<u8")


def among(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Which of some values (n,) are among ordered ones (m,): (n,) bool."""
    place = np.minimum(np.searchsorted(ordered, values), max(len(ordered) - 1, 0))
    return ordered[place] == values if len(ordered) else np.zeros(len(values), bool)


class Output:
    """Where one process at a time writes the rows of a data set; use it with `with`.

    Only the driver writes, and every row once, so neither a worker that is killed nor one whose
    task is run again can double a row. What a killed driver had not yet written is not there, and
    is scored by the next run.

    Parameters
    ----------
    path : str
        Folder, or URI of one; made where it is not there.
    metric, weights : str
        Of every row.

    Raises
    ------
    SriqaError
        If it holds anything else, scores of another metric or of other weights, or if another
        process is writing there (which is only known on this machine or a shared file system).
    """

    def __init__(self, path: str, metric: str, weights: str) -> None:
        self.path, self._source = path, (metric, weights)
        self._files, self._folder = located(path)
        is_local = isinstance(self._files, fs.LocalFileSystem)
        self._local = Path(self._folder) if is_local else None
        self._run = uuid4().hex[:8]
        self._number = 0
        self._waiting: list[pa.Table] = []
        self._rows, self._since = 0, time.monotonic()
        self._lock: AbstractContextManager[object] = nullcontext()

    def __enter__(self) -> Output:
        try:
            self._files.create_dir(self._folder, recursive=True)
            if self._local:
                self._lock = FileLock(self._local / ".lock", timeout=0)
            self._lock.__enter__()
        except Timeout:
            raise SriqaError(f"{self.path}: another process is writing there") from None
        except OSError as error:
            raise self._failed(error) from None
        if self._local:
            sweep(self._local)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)

    def done(self) -> np.ndarray:
        """`digests` of the paths that are there, ordered (n,) uint64: 8 bytes an image."""
        found = [np.empty(0, "<u8")]
        for name in self._parts():
            try:
                with pq.ParquetFile(name, filesystem=self._files) as part:
                    self._require_ours(name, part)
                    for batch in part.iter_batches(65536, columns=["path"]):
                        found.append(digests(batch.column(0).to_pylist()))
            except (pa.ArrowException, OSError) as error:
                reason = reason_of(error)
                raise SriqaError(
                    f"{name}: cannot be read ({reason}); delete it, and what it held is scored anew"
                ) from None
        return np.unique(np.concatenate(found))

    def add(self, rows: pa.Table) -> None:
        """Take rows of path, score, error, width and height, or of some of them; soon written."""
        given = {name: rows.column(name) for name in rows.column_names}
        own = dict(zip(("metric", "weights"), self._source, strict=True))
        columns = [given.get(name, pa.repeat(own.get(name), len(rows))) for name in SCHEMA.names]
        self._waiting.append(pa.table(dict(zip(SCHEMA.names, columns, strict=True))).cast(SCHEMA))
        self._rows += len(rows)
        if self._rows >= _ROWS or time.monotonic() - self._since >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._rows:
            table = pa.concat_tables(self._waiting)
            name = f"part-{self._run}-{self._number:06}.parquet"
            try:
                if self._local:
                    with replaced(self._local / name) as partial:
                        pq.write_table(table, partial, compression="zstd")
                else:  # an object is there when all of it is
                    with self._files.open_output_stream(f"{self._folder}/{name}") as stream:
                        pq.write_table(table, stream, compression="zstd")
            except OSError as error:
                raise self._failed(error) from None
            self._number += 1
        self._waiting, self._rows, self._since = [], 0, time.monotonic()

    def _parts(self) -> list[str]:
        selector = fs.FileSelector(self._folder, allow_not_found=True)
        try:
            infos = self._files.get_file_info(selector)
        except OSError as error:
            raise self._failed(error) from None
        files = [info for info in infos if not info.base_name.startswith(".")]
        strange = [info.base_name for info in files if not _is_part(info)]
        if strange:
            raise SriqaError(
                f"{self.path}: holds {strange[0]}, which is no scores; give a new folder's name"
            )
        return sorted(info.path for info in files)

    def _require_ours(self, name: str, part: pq.ParquetFile) -> None:
        if not part.schema_arrow.equals(SCHEMA):
            raise SriqaError(f"{name}: is no part of scores; give the name of a new folder")
        first = next(part.iter_batches(1, columns=["metric", "weights"]), None)
        held = self._source if first is None else tuple(first.to_pylist()[0].values())
        if held != self._source:
            told, own = (f"{metric}, weights {weights}" for metric, weights in (held, self._source))
            raise SriqaError(
                f"{self.path}: holds scores of {told}, not of {own}; give the name of a new folder"
            )

    def _failed(self, error: OSError) -> SriqaError:
        return SriqaError(f"{self.path}: cannot be written or listed: {reason_of(error)}")


def _is_part(info: fs.FileInfo) -> bool:
    named = info.base_name.startswith("part-") and info.base_name.endswith(".parquet")
    return named and info.type == fs.FileType.File
