"""What workers do: Arrow tables in, Arrow tables out.

Between decoding and the network an image is its crops, as bytes: 0.9 MB for six of 224×224 pixels
of 8 bits, four times as much where they have more; an image that is smaller than a crop is itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from ..crops import CropPolicy, cut_crops
from ..errors import SriqaError
from ..images import to_tensor
from ..metric import CalibratedMetric
from ..scoring import cut_scorer, tried
from .places import is_uri, located, named, reason_of
from .shards import entries

FILES = pa.schema([("path", pa.binary()), ("data", pa.large_binary()), ("error", pa.string())])
_CROPS = pa.schema(
    [
        ("path", pa.string()),
        ("crops", pa.large_binary()),
        ("shape", pa.list_(pa.int32())),
        ("type", pa.string()),
        ("error", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)
_SCORED = pa.schema(
    [(name, _CROPS.field(name).type) for name in ("path", "error", "width", "height")]
).append(pa.field("score", pa.float64()))


def shard_entries(table: pa.Table, done: np.ndarray) -> Iterator[pa.Table]:
    """Images of shards, without those whose names are among `done`."""
    for path in table.column("path").to_pylist():
        for name, data, problem in entries(path.decode(errors="surrogateescape"), done):
            row = {"path": [encoded(name)], "data": [data], "error": [problem]}
            yield pa.table(row, schema=FILES)


def encoded(path: str) -> bytes:
    """A path as bytes, as a column holds it that takes any."""
    return path.encode(errors="surrogateescape")


def decoded(table: pa.Table, policy: CropPolicy, max_pixels: int) -> pa.Table:
    """The crops of images, or why there are none."""
    rows = []
    for row in table.to_pylist():
        path = row["path"].decode(errors="surrogateescape")
        made: dict[str, Any] = dict.fromkeys(_CROPS.names) | {"path": named(path)}
        if row["error"] is None:
            try:
                made |= _crops_of(path, row["data"], policy, max_pixels)
            except SriqaError as error:
                made["error"] = named(str(error))
        else:
            made["error"] = named(row["error"])
        rows.append(made)
    return pa.Table.from_pylist(rows, schema=_CROPS)


def _crops_of(path: str, data: bytes | None, policy: CropPolicy, max_pixels: int) -> dict[str, Any]:
    source = _source(path, data)

    def cut() -> tuple[Tensor, int, int]:
        image = to_tensor(source, max_pixels=max_pixels)
        return cut_crops(image, policy), *image.shape[1:]

    found = tried(path, cut)
    if isinstance(found, SriqaError):
        raise found
    crops, height, width = found
    pixels = crops.movedim(-3, -1).contiguous().numpy()  # as they lie in memory
    held = {"crops": pixels.tobytes(), "shape": pixels.shape, "type": pixels.dtype.name}
    return held | {"width": width, "height": height}


def _source(path: str, data: bytes | None) -> Any:
    """A path here, or the bytes of the file in what errors take for a file of that name."""
    if data is None:
        if not is_uri(path):
            return path
        file_system, inside = located(path)
        try:
            with file_system.open_input_stream(inside, compression=None) as stream:
                data = stream.read()
        except OSError as error:
            raise SriqaError(f"{path}: cannot be read ({reason_of(error)})") from None
    file = io.BytesIO(data)
    file.name = path
    return file


class Scoring:
    """Scores of crops: what an actor does with its copy of the metric.

    Parameters
    ----------
    metric : CalibratedMetric
    device : str
    threads : int
        Of torch, for the work on the CPU.
    """

    def __init__(self, metric: CalibratedMetric, device: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._score = cut_scorer(metric.to(device))

    def __call__(self, table: pa.Table) -> pa.Table:
        items = [(row["path"], _crops(row)) for row in table.to_pylist()]
        results = self._score(items)
        failed = [str(found) if isinstance(found, SriqaError) else None for found in results]
        scores = [None if isinstance(found, SriqaError) else found for found in results]
        values = {name: table.column(name) for name in ("path", "width", "height")}
        values |= {"error": failed, "score": scores}
        return pa.table({name: values[name] for name in _SCORED.names}, schema=_SCORED)


def _crops(row: dict[str, Any]) -> Tensor | SriqaError:
    if row["error"] is not None:
        return SriqaError(row["error"])
    pixels = np.frombuffer(row["crops"], row["type"]).reshape(row["shape"])
    return torch.from_numpy(pixels.copy()).movedim(-1, -3)
