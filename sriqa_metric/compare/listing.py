"""What was matched, shown before it is scored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from ..files import listed
from ..names import counted, visible
from .matching import GROUND_TRUTH, Results, Unmatched

_MOST = 5


def write_listing(found: Sequence[Results], stream: TextIO) -> None:
    """Write, for each data set, where every method's files are, and what is left out."""
    for results in found:
        rows = list(zip(results.methods, results.paths, strict=True))
        if results.references:
            rows.append((GROUND_TRUTH, results.references))
        lines = [f"{name}: {_files(results.contents, paths)}" for name, paths in rows]
        if not results.references and any(each.references for each in found):
            lines.append(f"{GROUND_TRUTH}: none")
        if results.unmatched:
            lines.append(f"left out: {listed(map(_reason, results.unmatched), _MOST, '; ')}")
        stream.write(f"{visible(_size(results))}\n")
        stream.writelines(f"  {visible(line)}\n" for line in lines)


def summary(found: Sequence[Results]) -> str:
    """The same in one line."""
    first = found[0]
    methods = counted(len(first.methods), "method")
    text = f"{methods}; {listed(map(_size, found), _MOST, '; ')}"
    left_out = sum(len(results.unmatched) for results in found)
    return f"{text}; left out: {left_out}, see --dry-run" if left_out else text


def _size(results: Results) -> str:
    """`Set5: 5 contents with ground truth`."""
    text = f"{results.data_set}: " if results.data_set else ""
    text += counted(len(results.contents), "frame" if results.clips else "content")
    if results.clips:
        text += f" of {counted(len(set(results.clips)), 'clip')}"
    return f"{text} with {GROUND_TRUTH}" if results.references else text


def _files(contents: Sequence[str], paths: Sequence[str]) -> str:
    """`out/Set5, 5 files: baby (baby_x4.png) to woman (woman_x4.png)`."""
    folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    ends = dict.fromkeys((0, len(paths) - 1))
    shown = [f"{contents[k]} ({os.path.relpath(paths[k], folder or None)})" for k in ends]
    return f"{folder or os.curdir}, {counted(len(paths), 'file')}: {' to '.join(shown)}"


def _reason(one: Unmatched) -> str:
    return f"{one.content} is not in {', '.join(one.lacking)}"
