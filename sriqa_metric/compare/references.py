"""The ground truth of each data set.

Of a folder it is

- its `<set>/`, where results are in sets; or, where they are in one set or none,
- the folder itself.

Of either it is the images; or, where these are none, those of a folder in it that is called as such
folders are in the usual data sets: GT, GTmod12, HR or original, in this order.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import SriqaError
from ..files import listed
from ..names import counted
from ..sr_folders import Source, folders_in, named_images, nfc
from .patterns import read_pattern
from .sources import is_folder, split_name

_NONE = Source("", [])
_USUAL = ("gt", "gtmod12", "hr", "original")


def read_references(
    arguments: Sequence[str], sets: Sequence[str], known: Sequence[str], clips: bool = False
) -> dict[str, Source]:
    """The files of the ground truth, by data set; sets of which there is none are left out.

    Parameters
    ----------
    arguments : sequence of str
        Folders or patterns: `SET=PATH` for one data set, and one `PATH` for all others.
    sets : sequence of str
        The data sets that are compared; one without a name is "".
    known : sequence of str
        These and others that some results are of.
    clips : bool
        Images are frames of video, in folders of their clips.

    Raises
    ------
    SriqaError
        For a set that the results do not have, a set or no set named twice, or a path without
        ground truth of any set that it is given for.
    """
    given: dict[str, str] = {}
    for argument in arguments:
        name, path = split_name(argument)
        name = nfc(name)
        if name in given:
            raise SriqaError(
                f"{argument}: the ground truth of {name or 'all data sets'} is {given[name]} "
                "already; write SET=PATH for each data set"
            )
        if name and name not in known:
            has = f"there are {listed(known)}" if any(known) else "theirs has no name: write PATH"
            raise SriqaError(f"{argument}: no results are of a data set {name!r}; {has}")
        given[name] = path
    found = {}
    if "" in given and (others := [each for each in sets if not each or each not in given]):
        found = _read(given[""], others, clips)
    for name in filter(None, given):
        found[name] = _read(given[name], [""], clips)[""]
    if given and not any(each in found for each in sets):
        raise SriqaError(
            f"{arguments[0]}: no ground truth of {listed(sets)}; some method lacks every other set"
        )
    return found


def _read(path: str, sets: Sequence[str], clips: bool) -> dict[str, Source]:
    """The files of each set that are in one path; its own where it is asked for one set."""
    there: dict[str, Source]
    if is_folder(path):
        there = {each: _of_set(Path(path), each, clips) for each in (*sets, "")}
    else:
        there = read_pattern(path, clips)[1]
    found = {each: there[each] for each in sets if each in there and there[each].files}
    alone = list(there.values()) if sets == [""] else [there.get("", _NONE)]
    if not found and len(sets) == len(alone) == 1 and alone[0].files:
        found = {sets[0]: alone[0]}
    if not found:
        raise _none(path, sets, there)
    return found


def _of_set(folder: Path, data_set: str, clips: bool) -> Source:
    """The images of a set, maybe none; those of the folder itself for a set without a name."""
    for above in (folder, *_usual_in(folder)) if data_set else (folder,):
        alike = [each for each in folders_in(above) if nfc(each.name) == data_set]
        below = alike[0] if alike else above / data_set
        for place in (below, *_usual_in(below)):
            if files := named_images(place, clips):
                return Source(place.name, files)
    return _NONE


def _usual_in(folder: Path) -> list[Path]:
    usual = [each for each in folders_in(folder) if each.name.lower() in _USUAL]
    return sorted(usual, key=lambda each: _USUAL.index(each.name.lower()))


def _none(path: str, sets: Sequence[str], there: Iterable[str]) -> SriqaError:
    folders = [each.name for each in folders_in(Path(path))]
    has = f"it has {counted(len(folders), 'folder')}{': ' * bool(folders)}{listed(folders)}"
    if not os.path.isdir(path):
        has = f"its wildcards stand for {listed(there)}"
    if any(sets):
        return SriqaError(
            f"{path}: no ground truth of {listed(sets)}, which would be in {sets[0]}/; {has}; or "
            f"say where it is, {sets[0]}=PATH"
        )
    return SriqaError(
        f"{path}: no images, neither in it nor in a folder GT, GTmod12, HR or original in it; "
        f"{has}; give that of the ground truth"
    )
