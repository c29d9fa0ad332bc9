"""Files of cached codes: written whole or not at all, and read only if they are what they claim."""

from __future__ import annotations

import ctypes
import hashlib
import math
import mmap
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ...errors import SriqaError
from ...files import replaced, sweep
from ...names import counted
from .codes import Codes

_MAX_HEADER = 1_000_000  # bytes; a real header has some tens of thousands
_KEY = "features"  # one entry, for several are stored in an order that varies
_HEX = set("0123456789abcdef")
_MOMENT, _PATIENCE = 0.2, 2.0  # seconds; who looks whether a lock is held has it for a moment
_GO_ON = "make room and run this again, it goes on where it stopped"


class Shards:
    """The shards of one folder: in each the tensor `codes` (n, V, C) of n images.

    The header says what made them, their checksum, and the SHA-256 of the image files.

    Parameters
    ----------
    folder : Path
    settings : str
        What the codes were made by; a shard that says anything else is refused.
    row : tuple of int
        Shape of the codes of one image, (V, C).
    """

    def __init__(self, folder: Path, settings: str, row: tuple[int, int]) -> None:
        self.folder, self.settings, self.row = folder, settings, row

    def write(self, images: Sequence[str], codes: Tensor) -> None:
        """Add a shard.

        Parameters
        ----------
        images : sequence of n str
            SHA-256 of the image files.
        codes : Tensor, (n, V, C), float32, on the CPU

        Raises
        ------
        SriqaError
            If it cannot be written; nothing is left of it then.
        """
        from safetensors.torch import save

        description = "\n".join([self.settings, _checksum(images, codes), *images])
        data = save({"codes": codes}, {_KEY: description})
        name = hashlib.sha256(description.encode()).hexdigest()[:16]
        try:
            with replaced(self.folder / f"{name}.safetensors") as partial:
                partial.write_bytes(data)
        except SriqaError as error:
            free = shutil.disk_usage(self.folder).free
            raise SriqaError(
                f"{error}; {free} bytes are free, "
                f"{len(data)} needed for the next {counted(len(images), 'image')}; {_GO_ON}"
            ) from None

    def require_room(self, images: int) -> None:
        """Raise a `SriqaError` if the disk has no room for so many images."""
        needed = 4 * images * math.prod(self.row)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise SriqaError(
                f"{self.folder}: disk full: {free} bytes are free, {needed} needed for the codes "
                f"of {counted(images, 'image')}; {_GO_ON}"
            )

    @contextmanager
    def filling(self, process: int, processes: int) -> Iterator[None]:
        """Around `write`: as one of several processes, each of which computes other images.

        What a kill left half written is deleted by the last process that ends.

        Raises
        ------
        SriqaError
            If another process is at this part or at a part of another division, or the folder
            cannot be made.
        """
        lock = FileLock(self.folder / f".{process}-of-{processes}.lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            raise self._busy() from None
        except OSError as error:
            raise SriqaError(f"{self.folder}: cannot be written: {error.strerror}") from None
        try:
            parts = self.folder.glob(".*.lock")
            if any(_held(part) for part in parts if not part.stem.endswith(f"-of-{processes}")):
                raise self._busy()
            yield
        finally:
            lock.release()
            if not any(map(_held, self.folder.glob(".*.lock"))):
                sweep(self.folder)

    def _busy(self) -> SriqaError:
        return SriqaError(
            f"{self.folder}: another process is filling this store; wait until it is done"
        )

    def index(self) -> dict[str, tuple[Path, int]]:
        """Shard and row of every image, by its SHA-256.

        Raises
        ------
        SriqaError
            If a shard is cut off, not ours, or of other settings.
        """
        found = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            with self._opened(path) as (_, _, images):
                found.update({image: (path, row) for row, image in enumerate(images)})
        return found

    def read(self, images: Sequence[str]) -> Codes:
        """Codes (n, V, C) of images, which must all be in the index.

        Raises
        ------
        SriqaError
            As `index`, and if the codes of a shard are not those that were written.
        """
        index = self.index()
        starts: dict[Path, int] = {}  # the first image of each shard, counted through all
        shards: list[np.ndarray] = []
        known = 0
        for path in dict.fromkeys(index[image][0] for image in images):
            with self._opened(path) as (file, checksum, named):
                stored = file.get_tensor("codes")  # mapped from the file
                if _checksum(named, stored) != checksum:
                    raise _refused(path, "is damaged, its codes are not those that were written")
            shards.append(stored.numpy())
            _read_by_rows(shards[-1])
            starts[path], known = known, known + len(named)
        versions, width = self.row
        places = [starts[path] + row for path, row in map(index.__getitem__, images)]
        first = versions * torch.tensor(places, dtype=torch.int64).unsqueeze(1)
        return Codes(shards, first + torch.arange(versions), width)

    def size(self) -> int:
        """Bytes of all shards."""
        return sum(path.stat().st_size for path in self.folder.glob("*.safetensors"))

    @contextmanager
    def _opened(self, path: Path) -> Iterator[tuple[Any, str, list[str]]]:
        """The open file, its checksum and images, when all but the checksum has been checked."""
        from safetensors import SafetensorError, safe_open

        try:
            with path.open("rb") as stream:
                header = int.from_bytes(stream.read(8), "little")
            if header > _MAX_HEADER:
                raise _refused(path, f"is no shard, it claims a header of {header} bytes")
            file = safe_open(path, framework="pt")
        except OSError as error:
            raise _refused(path, f"cannot be read ({error.strerror or error})") from None
        except SafetensorError as error:
            raise _refused(path, f"is cut off or damaged ({error!s:.100})") from None
        with file:
            settings, *checks = (file.metadata() or {}).get(_KEY, "").split("\n")
            if list(file.keys()) != ["codes"] or settings != self.settings or not checks:
                raise _refused(path, "is no shard of this store")
            checksum, *images = checks
            codes = file.get_slice("codes")
            expected = (len(images), *self.row)
            if codes.get_dtype() != "F32" or tuple(codes.get_shape()) != expected:
                found = f"{codes.get_dtype()} {tuple(codes.get_shape())}"
                raise _refused(path, f"holds codes {found}, not F32 {expected}")
            if not all(len(image) == 64 and _HEX.issuperset(image) for image in images):
                raise _refused(path, "does not say whose codes it holds")
            yield file, checksum, images


def _held(lock: Path) -> bool:
    """Whether a living process is at the part of a store that a lock is for."""
    try:
        with FileLock(lock, timeout=_MOMENT):
            return False
    except Timeout:
        return True


def _read_by_rows(mapped: np.ndarray) -> None:
    """Let the system read no more of a file than the pages of the rows that are asked for.

    Where memory is short it else reads all around them, again and again. (Python's own mapping has
    this as a method, but until 3.13 each keeps its file open, and there are too many.)
    """
    if sys.platform == "linux":
        start = mapped.ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
        size = ctypes.c_size_t(mapped.ctypes.data + mapped.nbytes - start)
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), size, mmap.MADV_RANDOM)


def _refused(path: Path, reason: str) -> SriqaError:
    return SriqaError(f"{path}: {reason}; delete it, and what it held is computed anew")


def _checksum(images: Sequence[str], codes: Tensor) -> str:
    digest = hashlib.sha256("\n".join(images).encode())
    digest.update(codes.numpy().data)
    return digest.hexdigest()
