"""The images of a study, as the browser gets them: listed files only, under opaque names.

Every image is decoded and sent as an 8-bit RGB PNG without metadata and without compression, so
that each browser shows the same pixels, and neither name, file nor number of bytes tells which SR
method made it: images of one size have files of one size.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import threading
from collections import OrderedDict

from PIL import Image

from ...errors import SriqaError
from .image_files import ImageFiles, decode, degrade

_CACHE_BYTES = 256 << 20
_Key = tuple[str, str]  # what it shows: result | obvious | input WxH; path relative to the root


class StudyImages:
    """All images that a study may show.

    Parameters
    ----------
    checked : ImageFiles
    secret : str
        Makes the opaque names; the same secret gives the same names after a restart.

    Attributes
    ----------
    sizes : list of (int, int)
        Width and height of the two results of each pair.
    """

    def __init__(self, checked: ImageFiles, secret: str) -> None:
        self._secret = secret.encode()
        self._files = checked.files
        self.sizes = checked.sizes
        self._keys: dict[str, _Key] = {}
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        for pair, (width, height) in zip(checked.pairs, self.sizes, strict=True):
            keys = [
                (kind, p) for kind in ("result", "obvious") for p in (pair.image_a, pair.image_b)
            ]
            if pair.image_lr:
                keys.append((f"input {width}x{height}", pair.image_lr))
            self._keys |= {self._name(key): key for key in keys}

    def result(self, path: str, degraded: bool = False) -> str:
        """Opaque name of an SR result, or of its degraded version."""
        return self._name(("obvious" if degraded else "result", path))

    def input(self, path: str, size: tuple[int, int]) -> str:
        """Opaque name of an LR input, enlarged to the size of its results."""
        return self._name((f"input {size[0]}x{size[1]}", path))

    def _name(self, key: _Key) -> str:
        return hmac.new(self._secret, "\0".join(key).encode(), hashlib.sha256).hexdigest()[:32]

    def png(self, name: str) -> bytes | None:
        """The image of an opaque name; None where there is no such name.

        Raises
        ------
        SriqaError
            For a file that was readable at the start and no longer is.
        """
        key = self._keys.get(name)
        if key is None:
            return None
        with self._lock:
            if name in self._cache:
                self._cache.move_to_end(name)
                return self._cache[name]
        data = self._render(*key)
        with self._lock:
            self._cache[name] = data
            while len(self._cache) > 1 and sum(map(len, self._cache.values())) > _CACHE_BYTES:
                self._cache.popitem(last=False)
        return data

    def _render(self, kind: str, path: str) -> bytes:
        file = self._files[path]
        if file.resolve() != file:
            raise SriqaError(f"{path}: is a link now; it was a file when the study started")
        image = decode(file)
        if kind == "obvious":
            image = degrade(image)
        elif kind != "result":
            width, height = kind.split()[1].split("x")
            image = image.resize((int(width), int(height)), Image.Resampling.BICUBIC)
        stream = io.BytesIO()
        image.save(stream, "PNG", compress_level=0)
        return stream.getvalue()
