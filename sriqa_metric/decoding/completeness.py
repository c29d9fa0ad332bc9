"""Whether the decoder had data for every row, where Pillow hides that it had not.

A file that was cut and then closed or filled up is well formed; its decoder makes rows out of
nothing. What follows the data of a whole picture is not used, so other bytes there change no
pixel. Where they do, the picture was not whole.

What cannot be told: zeros in place of the last rows of an uncompressed file (BMP, PPM, TGA, TIFF)
are black rows; fewer than 64 zeros, zeros that happen to fill the picture to its last bytes, and
what was overwritten in the middle of a file that has no checksums, are taken for the picture, and
so is a progressive JPEG that was closed between two of its scans. In JPEG 2000 zeros are empty
packets: filled up in front of its end mark it may pass.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .containers import Stream, png_data
from .jpeg import structure

Decode = Callable[[bytes], np.ndarray]

_RUN = 64  # zeros at the end; encoders write as many only where the picture ends in a flat area
_USED = 16  # zeros that an encoder may leave behind the last bit that matters
_OTHER = bytes(range(1, 255)) * 16  # no 0xFF, which would be a marker
# First column and row of each pass, and the steps of both.
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def check_rows(
    stream: Stream, kind: str, end: int | None, last: Any, pixels: np.ndarray, decode: Decode
) -> None:
    """Raise OSError if rows were made out of nothing.

    Parameters
    ----------
    stream : Stream
    kind : str
        Pillow's name of the format.
    end : int or None
        What `containers.end_of_picture` gave.
    last : int or tuple
        Last pixel of the last row as Pillow gives it.
    pixels : ndarray
        All pixels as `decode` gives them.
    decode : callable
        Pixels of other bytes of a file of the same kind.
    """
    stream.strict = False
    values = np.atleast_1d(last)
    if kind == "PNG":
        if _interlaced(stream) or not values.any():
            _count_rows(stream)
    elif end is not None:
        stream.seek(max(0, end - _RUN))
        if stream.read(_RUN) == bytes(_RUN):
            _check_fill(stream, end, pixels, decode)
        if kind == "JPEG":
            _check_scans(_whole(stream), set(values.tolist()) <= {127, 128}, pixels, decode)


def _whole(stream: Stream) -> bytes:
    stream.seek(0)
    return stream.read()


def _changes(data: bytes, pixels: np.ndarray, decode: Decode) -> bool:
    try:
        return not np.array_equal(decode(data), pixels)
    except Exception as error:  # of any type: these bytes are no picture, so they matter
        if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
            raise
        return True


def _check_fill(stream: Stream, end: int, pixels: np.ndarray, decode: Decode) -> None:
    """Raise if the zeros at the end are used, but not to the last of them."""
    data = _whole(stream)
    start = len(data[:end].rstrip(b"\0"))

    def changed_from(first: int) -> bool:
        other = (_OTHER * ((end - first) // len(_OTHER) + 1))[: end - first]
        return _changes(data[:first] + other + data[end:], pixels, decode)

    if changed_from(start + _USED) and not changed_from(end - _USED):
        raise OSError("rows are missing: the file was filled up with zeros")


def _check_scans(data: bytes, gray: bool, pixels: np.ndarray, decode: Decode) -> None:
    """Raise if the last scan goes on; `gray` are rows without data, unless other scans have it."""
    if not gray and data.count(b"\xff\xda") == 1:
        return  # the usual case, told at no cost
    found = structure(data)
    # An arithmetic coder may leave out the last of its bytes.
    doubtful = (gray or found.scans > 1) and found.frame in (0xC0, 0xC1, 0xC2)
    if doubtful and _changes(data[: found.end] + _OTHER + data[found.end :], pixels, decode):
        raise OSError("rows are missing")


def _interlaced(stream: Stream) -> bool:
    stream.seek(28)
    return stream.exactly(1) != b"\0"


def _count_rows(stream: Stream) -> None:
    stream.seek(16)
    width, height, depth, color, _, _, interlaced = _header(stream.exactly(13))
    bits = depth * {2: 3, 4: 2, 6: 4}.get(color, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    wanted = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            wanted += rows * (1 + (columns * bits + 7) // 8)
    unpacker = zlib.decompressobj()
    for part in png_data(stream):
        while part and wanted > 0:
            rows_of_part = unpacker.decompress(part, 1 << 20)
            wanted -= len(rows_of_part)
            part = unpacker.unconsumed_tail
            if not rows_of_part and unpacker.eof:
                break
    if wanted > 0:
        raise OSError("rows are missing")


def _header(data: bytes) -> tuple[int, ...]:
    return int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big"), *data[8:]
