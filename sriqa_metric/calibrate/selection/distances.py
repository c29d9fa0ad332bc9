"""D1 of every method pair and the features for D2, content by content, resumable at any moment."""

from __future__ import annotations

import hashlib
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from torch import Tensor

from ...cli.progress import tracked
from ...errors import SriqaError
from ...images import read_image
from ...scoring import map_ahead
from .contents import Contents
from .dists import Dists

_FORMAT = 1  # of the cache; another number for another definition of the distances


@dataclass(frozen=True)
class Distances:
    """What the selection reads.

    Parameters
    ----------
    d1 : ndarray, (contents, pairs), float32
        DISTS between the two results of each method pair.
    features : ndarray, (contents, d), float32
        Of the LR inputs, for D2.
    """

    d1: np.ndarray
    features: np.ndarray


def measure(found: Contents, dists: Dists, folder: Path) -> Distances:
    """Measure all contents; those that the cache in `folder` knows are not measured again.

    Only one content's maps are held at a time.

    Parameters
    ----------
    found : Contents
    dists : Dists
    folder : Path
        Gets `distances-<fingerprint>.cache`; the fingerprint is of the methods, the weights and
        the kind of device, and each entry is of the names, sizes and times of a content's files.

    Raises
    ------
    SriqaError
        For an image that cannot be decoded, results of different sizes, or a folder that cannot
        be written.
    """
    n = len(found.methods)
    pairs = n * (n - 1) // 2
    d1 = np.empty((len(found.contents), pairs), np.float32)
    features = np.empty((len(found.contents), dists.width), np.float32)
    key = json.dumps([_FORMAT, found.methods, dists.fingerprint(), dists.device.type])
    name = f"distances-{hashlib.sha256(key.encode()).hexdigest()[:12]}.cache"

    def read(place: int) -> tuple[int, list[Tensor]]:
        return place, _read_images(found, found.contents[place])

    try:
        with Cache(folder / name, pairs, dists.width) as cache:
            waiting = []
            for place, stamp in enumerate(found.stamps):
                if stamp in cache.known:
                    d1[place], features[place] = cache.known[stamp]
                else:
                    waiting.append(place)
            cache.known.clear()
            with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
                images = map_ahead(pool, read, waiting, depth=1)
                for place, (*results, lr) in tracked(images, "distances", len(waiting)):
                    d1[place] = dists.pair_distances(results).numpy()
                    features[place] = dists.features(lr).numpy()
                    cache.add(found.stamps[place], d1[place], features[place])
    except OSError as error:
        raise SriqaError(f"{folder}: cannot be written: {error}") from error
    return Distances(d1, features)


def _read_images(found: Contents, content: str) -> list[Tensor]:
    """Its results and, last, its LR input."""
    *results, lr = [read_image(path) for path in found.files(content)]
    sizes = {tuple(image.shape) for image in results}
    if len(sizes) > 1:  # the headers agreed: one is turned by its EXIF orientation
        raise SriqaError(f"content {content!r}: results differ in size: {sorted(sizes)}")
    return [*results, lr]


class Cache:
    """Append-only file of measured contents; what a kill left half written is cut off.

    Parameters
    ----------
    path : Path
    pairs, width : int
        Lengths of the two arrays of an entry.

    Attributes
    ----------
    known : dict
        stamp -> (d1, features), as found in the file.
    """

    def __init__(self, path: Path, pairs: int, width: int) -> None:
        self._entry = np.dtype(
            [("stamp", "S32"), ("d1", "<f4", pairs), ("features", "<f4", width), ("crc", "<u4")]
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        self._file.seek(0)
        data = self._file.read()
        size = self._entry.itemsize
        entries = np.frombuffer(data, self._entry, len(data) // size)
        good = 0
        for entry in entries:
            if zlib.crc32(entry.tobytes()[:-4]) != entry["crc"]:
                break
            good += 1
        self._file.truncate(good * size)
        self.known = {
            e["stamp"].decode(): (e["d1"].copy(), e["features"].copy()) for e in entries[:good]
        }

    def add(self, stamp: str, d1: np.ndarray, features: np.ndarray) -> None:
        """Append one content; it is in the file when this returns."""
        entry = np.zeros((), self._entry)
        entry["stamp"], entry["d1"], entry["features"] = stamp.encode(), d1, features
        entry["crc"] = zlib.crc32(entry.tobytes()[:-4])
        if self._file.write(entry.tobytes()) < self._entry.itemsize:
            raise OSError("no space left on the device")

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
