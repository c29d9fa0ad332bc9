"""What the arguments of a comparison mean: a method's name, and its files by data set."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import SriqaError
from ..files import listed
from ..names import counted
from ..sr_folders import Source, folders_in, images_in, nfc, no_images, read_method
from .patterns import is_pattern, read_pattern


class Place(NamedTuple):
    """One method.

    Parameters
    ----------
    argument : str
        As it was given, for messages.
    name : str
        As it was given before an equals sign; maybe empty.
    where : tuple of str
        Where it is; the last part names it where nothing else does.
    sets : dict
        Data set, in NFC -> image files; one without a name where the files are in no sets.
    """

    argument: str
    name: str
    where: tuple[str, ...]
    sets: dict[str, Source]


def read_place(argument: str, clips: bool = False) -> Place:
    """The files that an argument means.

    Parameters
    ----------
    argument : str
        A folder, a pattern, or either behind `NAME=`; see `split_name`.
    clips : bool
        Images are frames of video, in folders of their clips.

    Raises
    ------
    SriqaError
        If there is nothing of that name, it has no images, or a folder in it cannot be read.
    """
    name, path = split_name(argument)
    if not is_folder(path):
        return Place(argument, name, *read_pattern(path, clips))
    source = read_method(Path(path), plain_sets=True, clips=clips)
    if not source.files:
        raise _nothing_in(Path(path), clips)
    return Place(argument, name, Path(os.path.abspath(path)).parts, _by_set(source))


def split_name(argument: str) -> tuple[str, str]:
    """Name and path of `NAME=PATH`; an empty name and all of it where it has no name.

    What is there, as a path or as what a pattern matches, has no name, even if it has an equals
    sign, and neither has a path with a slash before that.

    Raises
    ------
    SriqaError
        If the name or the path is empty.
    """
    name, equals, path = argument.partition("=")
    if not equals or "/" in name or os.sep in name or os.path.lexists(argument):
        return "", argument
    if glob.glob(argument):
        return "", argument
    if not name.strip() or not path:
        raise SriqaError(
            f"{argument}: nothing {'before' if path else 'after'} the equals sign; write NAME=PATH"
        )
    return name, os.path.expanduser(path)  # shells do so at the start of a word only


def is_folder(path: str) -> bool:
    """Whether a path is a folder; else it is a pattern.

    Raises
    ------
    SriqaError
        If it is neither.
    """
    if os.path.isdir(path):
        return True
    if os.path.lexists(path):
        raise SriqaError(
            f"{path}: is a file; give the folder of one method's results, or a pattern in "
            "quotes, such as 'images/*_bicubic.png'"
        )
    if not is_pattern(path):
        raise SriqaError(f"{path}: no such folder; check the path")
    return False


def _by_set(source: Source) -> dict[str, Source]:
    """The files of each set, by their names in it."""
    if not source.sets:
        return {"": source}
    found: dict[str, list[tuple[str, Path]]] = {}
    for name, path in source.files:
        each, _, rest = name.partition("/")
        found.setdefault(nfc(each), []).append((rest, path))
    return {each: Source(source.name, files) for each, files in found.items()}


def _nothing_in(folder: Path, clips: bool) -> SriqaError:
    below = counted(len(folders_in(folder)), "folder")
    if clips:
        images = counted(len(images_in(folder)), "image")
        return SriqaError(
            f"{folder}: no clips, which are folders of frames, <clip>/<frame>.png; it has {images} "
            f"and {below}; leave out --clips if contents are single images"
        )
    if below == counted(0, "folder"):
        return no_images(folder)
    return SriqaError(
        f"{folder}: no images, neither in it nor in the {below} in it; give a pattern such as "
        f"'{folder}/*/*/*.png', or --clips where they are frames of video"
    )


def without_suffix(places: Sequence[Place], suffix: str) -> list[Place]:
    """The same places; the names of files that end with a suffix lose it.

    Raises
    ------
    SriqaError
        If none ends with it.
    """
    cut = [
        place._replace(sets={each: _cut(source, suffix) for each, source in place.sets.items()})
        for place in places
    ]
    if cut == list(places):
        names = (source.files[0][1].name for place in places for source in place.sets.values())
        raise SriqaError(
            f"{suffix!r}: no file's name ends with this suffix, before its extension; they are "
            f"called {listed(names, 3)}"
        )
    return cut


def _cut(source: Source, suffix: str) -> Source:
    end = nfc(suffix)
    files = []
    for name, path in source.files:
        rest = nfc(name).removesuffix(end)
        files.append((name if rest[-1:] in ("", "/") else rest, path))
    return source._replace(files=files)


def names_of(places: Sequence[Place]) -> list[str]:
    """The methods' names: those given, else as much of where they are as tells them apart.

    Raises
    ------
    SriqaError
        For a name given twice, or given to one method while another has it already.
    """
    unnamed = iter(_told_apart([place.where for place in places if not place.name]))
    names: dict[str, Place] = {}
    for place in places:
        name = place.name or next(unnamed)
        if name in names:
            raise SriqaError(
                f"{place.argument}: there is a method {name!r} already, {names[name].argument}; "
                "write NAME=PATH with another name"
            )
        names[name] = place
    return list(names)


def _told_apart(places: Sequence[tuple[str, ...]]) -> list[str]:
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
