"""Images inside shards, Parquet and WebDataset (tar), one after the other."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SriqaError
from ..files import EXTENSIONS
from ..names import visible
from .output import among, digests
from .places import located, named, reason_of

_ROWS = 16  # images of a Parquet file that are read at once
_READ_AHEAD = 1 << 23  # bytes of a tar file: each reading of an object store costs


class Entry(NamedTuple):
    """An image of a shard by its name there, or why it, or the rest of the shard, is not read."""

    name: str
    data: bytes | None
    problem: str | None = None


def entries(path: str, done: np.ndarray) -> Iterator[Entry]:
    """Images of a shard, in order; a shard that cannot be read ends with an entry that says so.

    Their names are `SHARD#ROW` in Parquet and `SHARD#MEMBER` in a tar file: no two of a data set
    are the same, and they are the same whenever the shard is read.

    Parameters
    ----------
    path : str
    done : ndarray, (n,)
        `digests` of names that are left out, ordered. Row groups of these alone are not read; a
        tar file has no list of what it holds, and is gone through.
    """
    read = _of_parquet if path.lower().endswith(".parquet") else _of_tar
    try:
        yield from read(path, done)
    except (
        OSError,
        SriqaError,
        tarfile.TarError,
        pa.ArrowException,
        EOFError,
        ValueError,
    ) as error:
        reason = reason_of(error)
        problem = reason if isinstance(error, SriqaError) else f"cannot be read ({reason})"
        if not _known([path], done)[0]:
            yield Entry(path, None, f"{path}: {problem.removeprefix(f'{path}: ')}")


def _known(names: Sequence[str], done: np.ndarray) -> list[bool]:
    return among(digests(map(named, names)), done).tolist()


def _of_parquet(path: str, done: np.ndarray) -> Iterator[Entry]:
    file_system, inside = located(path)
    with pq.ParquetFile(inside, filesystem=file_system, pre_buffer=True) as table:
        column = image_column(table.schema_arrow)
        first = 0
        for group in range(table.num_row_groups):
            rows = range(first, first + table.metadata.row_group(group).num_rows)
            first = rows.stop
            names = [f"{path}#{row}" for row in rows]
            known = _known(names, done)
            if all(known):
                continue
            batches = table.iter_batches(_ROWS, row_groups=[group], columns=[column])
            values = (value for batch in batches for value in batch.column(0).to_pylist())
            read = 0
            for read, value in enumerate(values, 1):
                name = names[read - 1]
                data = value["bytes"] if isinstance(value, dict) else value
                if not known[read - 1]:
                    yield Entry(name, data, None if data else f"{name}: has no bytes of an image")
            if read < len(names):
                raise SriqaError(f"is damaged: row group {group} ends after {read} of {len(names)}")
        if first != table.metadata.num_rows:
            told = table.metadata.num_rows
            raise SriqaError(f"is damaged: it tells of {told} rows, its row groups of {first}")


def image_column(schema: pa.Schema) -> str:
    """The column with bytes of image files: a struct with `bytes`, as of Hugging Face datasets, or
    the only one that is binary.

    Raises
    ------
    SriqaError
        If there is none, or several.
    """
    structs = [
        field.name
        for field in schema
        if pa.types.is_struct(field.type)
        and (place := field.type.get_field_index("bytes")) >= 0
        and _is_binary(field.type.field(place).type)
    ]
    found = structs or [field.name for field in schema if _is_binary(field.type)]
    if len(found) == 1:
        return found[0]
    told = ", ".join(f"{visible(field.name)} ({field.type})" for field in schema)
    many = "several columns" if found else "no column"
    raise SriqaError(f"has {many} of image bytes; keep one. Its columns are {told}")


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _of_tar(path: str, done: np.ndarray) -> Iterator[Entry]:
    file_system, inside = located(path)
    size = file_system.get_file_info(inside).size
    seen = set()
    with (
        file_system.open_input_stream(inside, compression=None, buffer_size=_READ_AHEAD) as file,
        tarfile.open(fileobj=file, mode="r|") as archive,
    ):
        for member in archive:
            ending = os.path.splitext(member.name)[1].lower()
            if not member.isfile() or ending not in EXTENSIONS or member.name in seen:
                continue
            seen.add(member.name)
            name = f"{path}#{member.name}"
            if _known([name], done)[0]:
                continue
            content = archive.extractfile(member)
            assert content is not None  # it is a file
            yield Entry(name, content.read())
        # tarfile takes a file that ends between two members, or in a head, for whole.
        if size is not None and size < archive.offset + tarfile.BLOCKSIZE:
            raise SriqaError("is cut off: the mark at its end is missing")
