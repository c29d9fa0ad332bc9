"""The markers of a JPEG: where its first picture ends, and whether its scans are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A marker that is neither a stuffed 0xFF nor a restart.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


@dataclass
class Structure:
    """What the markers say.

    Parameters
    ----------
    end : int
        Offset of the end marker, or of the 0xFF that fill up before it.
    frame : int
        Marker of the coding: 0xC0 to 0xC2 are Huffman codes.
    scans : int
        How many parts the picture comes in.
    """

    end: int = 0
    frame: int = 0
    scans: int = 0


def structure(data: bytes) -> Structure:
    """Follow the markers of a JPEG up to its end; those of a thumbnail are not looked at.

    Raises
    ------
    OSError
        If the end or a restart marker is missing.
    """
    found = Structure()
    header, interval = b"", 0
    for marker, start, body in _markers(data):
        if marker == 0xD9:
            while data[start - 1] == 0xFF:
                start -= 1
            found.end = start
            return found
        length = int.from_bytes(data[body : body + 2], "big")
        segment = data[body + 2 : body + length]
        if marker in _FRAMES:
            found.frame, header = marker, segment
        elif marker == 0xDD:
            interval = int.from_bytes(segment, "big")
        elif marker == 0xDA:
            found.scans += 1
            if interval and found.frame in (0xC0, 0xC1, 0xC2):
                following = _MARKER.search(data, body + length)
                coded = data[body + length : following.start() if following else len(data)]
                restarts = (_units(header, segment) - 1) // interval
                if len(_RESTART.findall(coded)) < restarts:
                    raise OSError("rows are missing")
    raise OSError("the file is cut off")


def _markers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker, its start, and its end."""
    where = 0
    while found := _MARKER.search(data, where):
        marker, where = found[1][0], found.end()
        yield marker, found.start(), where
        if marker not in _ALONE:
            where += int.from_bytes(data[where : where + 2], "big")


def _units(frame: bytes, scan: bytes) -> int:
    """How many units, between which restarts are counted, a scan has."""
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    factors = {frame[k]: divmod(frame[k + 1], 16) for k in range(6, len(frame) - 2, 3)}
    if not factors or not scan or not all(min(pair) for pair in factors.values()):
        return 0  # damaged, which the decoder finds
    most = max(across for across, _ in factors.values()), max(down for _, down in factors.values())
    if scan[0] == 1:  # one component alone: its own blocks
        across, down = factors.get(scan[1], most)
        return _up(_up(width * across, most[0]), 8) * _up(_up(height * down, most[1]), 8)
    return _up(width, 8 * most[0]) * _up(height, 8 * most[1])


def _up(number: int, step: int) -> int:
    return -(-number // step)
