"""Which files are results of different methods on the same content."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from ..errors import SriqaError
from ..files import EXTENSIONS, listed
from ..sr_folders import Source, is_image, match_contents, no_images, read_method

# What stands for any text in a pattern; a class of one character, as in `[[]`, stands for itself.
_WILD = re.compile(r"\*+|\?|\[(?:![^]/]|[^]/][^]/])[^]/]*\]")
_ONE = re.compile(r"\[([^!/])\]")
_SEPARATORS = "_-. "


@dataclass(frozen=True)
class Unmatched:
    """A content that some methods lack."""

    content: str
    lacking: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """Results of several methods on the same contents.

    Parameters
    ----------
    methods : tuple of str
        N methods, in the order given.
    contents : tuple of str
        n contents that every method has, sorted.
    paths : tuple of tuple of str
        [method][content] -> file.
    unmatched : tuple of Unmatched
    files : tuple of str
        All that were found, also of contents that some method lacks.
    data_set : str
        Where the contents are from; empty where there is but one data set without a name.
    references : tuple of str
        [content] -> the ground truth's file; empty without ground truth.
    clips : tuple of str
        [content] -> the clip that it is a frame of; empty where contents are single images.
    """

    methods: tuple[str, ...]
    contents: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    unmatched: tuple[Unmatched, ...]
    files: tuple[str, ...]
    data_set: str = ""
    references: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()


class _Place(NamedTuple):
    """One method: where it is, whose last part names it, and its files."""

    where: tuple[str, ...]
    source: Source


def find_results(arguments: Sequence[str | os.PathLike[str]]) -> Results:
    """Match the results of several methods by content.

    Parameters
    ----------
    arguments : sequence of paths
        One for each method: a folder of its results, named after the method, or a pattern such as
        `images/*_bicubic.png`, whose literal part is the name. Folders are read as `sr_folders`
        says; of a pattern the names are what its wildcards stand for.

    Raises
    ------
    SriqaError
        For fewer than two arguments, one without images, two files of a method with the same
        content, or no content that all methods have.
    """
    if len(arguments) < 2:
        raise SriqaError(
            f"a comparison needs the results of at least two methods, got {len(arguments)}; give "
            "a folder or a quoted pattern for each"
        )
    places = [_place(os.fspath(argument)) for argument in arguments]
    methods = _names([place.where for place in places])
    matched = match_contents(dict(zip(methods, (place.source for place in places), strict=True)))
    found = list(matched.values())
    everything = sorted(set().union(*found))
    contents = [content for content in everything if all(content in files for files in found)]
    if not contents:
        has = "; ".join(
            f"{method} has {listed(sorted(files), 3)}"
            for method, files in zip(methods, found, strict=True)
        )
        raise SriqaError(f"no content that all methods have, by the names of their files: {has}")
    unmatched = [
        Unmatched(
            content,
            tuple(m for m, files in zip(methods, found, strict=True) if content not in files),
        )
        for content in everything
    ]
    return Results(
        methods=tuple(methods),
        contents=tuple(contents),
        paths=tuple(tuple(str(files[content]) for content in contents) for files in found),
        unmatched=tuple(one for one in unmatched if one.lacking),
        files=tuple(str(path) for files in found for path in files.values()),
    )


def _place(argument: str) -> _Place:
    if os.path.isdir(argument):
        source = read_method(Path(argument))
        if not source.files:
            raise no_images(Path(argument))
        return _Place(Path(os.path.abspath(argument)).parts, source)
    if os.path.lexists(argument):
        raise SriqaError(
            f"{argument}: is a file; give the folder of one method's results, or a pattern in "
            "quotes, such as 'images/*_bicubic.png'"
        )
    if not _WILD.search(argument):
        raise SriqaError(f"{argument}: no such folder; check the path")
    return _pattern(argument)


def _pattern(argument: str) -> _Place:
    pattern = os.path.normpath(argument)
    root, extension = os.path.splitext(pattern)
    if not any(fnmatch(known, extension.lower()) for known in EXTENSIONS):
        root = pattern
    wild = list(_WILD.finditer(root)) or list(_WILD.finditer(pattern))
    before = len(_ONE.sub(r"\1", root[: wild[0].start()]))
    after = len(_ONE.sub(r"\1", root[wild[-1].end() :]))
    files = []
    for path in sorted(glob.glob(pattern, recursive=True)):
        if is_image(Path(path)):
            stem = os.path.splitext(path)[0]
            middle = stem[before : len(stem) - after] or os.path.basename(stem)
            files.append((middle.replace(os.sep, "/"), Path(path)))
    if not files:
        raise SriqaError(f"{argument}: no image files match this pattern")
    parts = Path(root).parts
    around = () if os.path.isabs(root) else Path.cwd().parts
    where = (*around, *filter(None, map(_literal, parts)))
    return _Place(where, Source(where[-1], files))


def _literal(part: str) -> str:
    """What a part of a pattern says literally, without the separators at the wildcards."""
    texts = [_ONE.sub(r"\1", text) for text in _WILD.split(part)]
    if len(texts) == 1:
        return texts[0]
    return "_".join(filter(None, (text.strip(_SEPARATORS) for text in texts)))


def _names(places: Sequence[tuple[str, ...]]) -> list[str]:
    """The last part of every place, or as many as tell different places apart."""
    depth = dict.fromkeys(places, 1)
    while True:
        named: dict[str, list[tuple[str, ...]]] = {}
        for place, parts in depth.items():
            named.setdefault("/".join(place[-parts:]), []).append(place)
        longer = [
            place
            for same in named.values()
            if len(same) > 1
            for place in same
            if depth[place] < len(place)
        ]
        if not longer:
            break
        for place in longer:
            depth[place] += 1
    names: list[str] = []
    for place in places:
        name = "/".join(place[-depth[place] :])
        copies = 1
        while name in names:  # the same place, given more than once
            copies += 1
            name = f"{'/'.join(place[-depth[place] :])} ({copies})"
        names.append(name)
    return names
