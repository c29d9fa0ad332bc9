"""Where the picture of a file ends, by what its container declares.

Pillow is content with what comes before; here a missing end is an OSError.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator

from .jpeg import structure


class Stream(io.BufferedReader):
    """A file that raises when its end is reached while more is wanted.

    Pillow itself fills what is missing with gray where the user has set
    `ImageFile.LOAD_TRUNCATED_IMAGES`, and other threads may rely on that.
    """

    strict = True

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.strict and size is not None and size > 0 and not data:
            raise OSError("the file is cut off")
        return data

    def exactly(self, size: int) -> bytes:
        data = self.read(size)
        if len(data) < size:
            raise OSError("the file is cut off")
        return data

    def length(self) -> int:
        here = self.tell()
        end = self.seek(0, os.SEEK_END)
        self.seek(here)
        return end


def end_of_picture(stream: Stream, kind: str) -> int | None:
    """Offset just behind the coded pixels, for kinds whose decoder does not miss them.

    Parameters
    ----------
    stream : Stream
        Its position is moved.
    kind : str
        Pillow's name of the format.

    Returns
    -------
    int or None
        None where the decoder itself notices what is missing.

    Raises
    ------
    OSError, struct.error
        If the end is not there.
    """
    if kind == "PNG":
        for _ in png_data(stream):
            pass
    elif kind == "GIF":
        _walk_gif(stream)
    elif kind == "JPEG":
        stream.seek(0)
        return structure(stream.read()).end
    elif kind == "JPEG2000":
        return _jpeg2000(stream)
    elif kind == "WEBP":
        return _webp(stream)
    elif kind in ("AVIF", "HEIF"):
        return max((end for name, _, end in _boxes(stream, 0) if name == b"mdat"), default=None)
    return None


def _inside(stream: Stream, end: int) -> int:
    if end > stream.length():
        raise OSError("the file is cut off")
    return end


def png_data(stream: Stream) -> Iterator[bytes]:
    """The compressed rows of a PNG; raises unless every chunk up to IEND has its checksum."""
    stream.seek(8)
    chunk = b""
    while chunk != b"IEND":
        length, chunk = struct.unpack(">I4s", stream.exactly(8))
        if chunk[0] & 32 and chunk != b"tRNS":  # says nothing about the pixels of the first frame
            _inside(stream, stream.seek(length + 4, os.SEEK_CUR))
            continue
        checksum = zlib.crc32(chunk)
        while length:
            part = stream.exactly(min(length, 1 << 20))
            length -= len(part)
            checksum = zlib.crc32(part, checksum)
            if chunk == b"IDAT":
                yield part
        if checksum != int.from_bytes(stream.exactly(4), "big"):
            raise OSError(f"wrong checksum of {chunk!r}")


def _walk_gif(stream: Stream) -> None:
    stream.seek(0)
    _skip_palette(stream, stream.exactly(13)[10])
    while (block := stream.exactly(1)) != b";":
        if block == b",":
            _skip_palette(stream, stream.exactly(9)[8])
        if block in b"!,":
            stream.exactly(1)
            while size := stream.exactly(1)[0]:
                stream.seek(size, os.SEEK_CUR)


def _skip_palette(stream: Stream, flags: int) -> None:
    if flags & 128:
        stream.seek(6 << (flags & 7), os.SEEK_CUR)


def _webp(stream: Stream) -> int:
    stream.seek(4)
    end = _inside(stream, 8 + int.from_bytes(stream.exactly(4), "little"))
    where = 12
    while where + 8 <= end:
        stream.seek(where)
        name, size = struct.unpack("<4sI", stream.exactly(8))
        if name == bytes(4):
            raise OSError("a chunk is missing")
        where += 8 + size + size % 2
    return end


def _jpeg2000(stream: Stream) -> int:
    """Offset of the end marker, which the lengths of the tile parts lead to."""
    stream.seek(0)
    where = 0
    if stream.exactly(4) != b"\xff\x4f\xff\x51":
        streams = [start for name, start, _ in _boxes(stream, 0) if name == b"jp2c"]
        if not streams:
            raise OSError("the file is cut off")
        where = streams[0]
    stream.seek(where + 2)
    while (marker := stream.exactly(2)) != b"\xff\xd9":
        here = stream.tell() - 2
        if marker[0] != 0xFF:
            raise OSError("a tile part is not where it should be")
        size = int.from_bytes(stream.exactly(2), "big")
        if marker == b"\xff\x90":
            size = struct.unpack(">HIBB", stream.exactly(8))[1]
            if size == 0:  # up to the end, wherever that is
                stream.seek(max(here, stream.length() - 65536))
                rest = stream.read()
                if b"\xff\xd9" not in rest:
                    raise OSError("the file is cut off")
                return stream.length() - len(rest) + rest.rindex(b"\xff\xd9")
            stream.seek(here + size)
        else:
            stream.seek(here + 2 + size)
    return stream.tell() - 2


def _boxes(stream: Stream, where: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start of the contents and end of each box of an ISO file, at its top level."""
    length = stream.length()
    while where + 8 <= length:
        stream.seek(where)
        size, name = struct.unpack(">I4s", stream.exactly(8))
        start = where + 8
        if size == 1:
            size, start = int.from_bytes(stream.exactly(8), "big"), where + 16
        end = where + size if size else length
        if end < start or not all(32 <= letter < 127 for letter in name):
            return  # something that was appended
        yield name, start, end if name != b"mdat" else _inside(stream, end)
        where = end
