"""Which files are results of different methods on the same content."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import SriqaError
from ..files import listed
from ..names import counted
from ..sr_folders import Source, match_contents
from .references import read_references
from .sources import names_of, read_place, without_suffix

GROUND_TRUTH = "ground truth"


@dataclass(frozen=True)
class Unmatched:
    """A content that some methods lack, or that has no ground truth.

    Parameters
    ----------
    content : str
        Its name; for a whole data set or clip that is lacking, that, and how much is in it.
    lacking : tuple of str
        Methods, and `GROUND_TRUTH`.
    """

    content: str
    lacking: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """Results of the methods on one data set.

    Parameters
    ----------
    methods : tuple of str
        N methods, in the order given.
    contents : tuple of str
        n contents that every method has, with ground truth where the data set has any, sorted.
    paths : tuple of tuple of str
        [method][content] -> file.
    unmatched : tuple of Unmatched
    files : tuple of str
        All that were found, of the ground truth, too, and of contents that some method lacks.
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


def find_results(
    arguments: Sequence[str | os.PathLike[str]],
    *,
    gt: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    suffix: str = "",
    clips: bool = False,
) -> tuple[Results, ...]:
    """Match the results of the methods by data set and content.

    Parameters
    ----------
    arguments : sequence of paths
        One for each method: a folder of its results, named after the method, or a pattern such as
        `images/*_bicubic.png`, whose literal part is the name; or either behind `NAME=`. Folders
        are read as `sr_folders` says, patterns as `patterns` says.
    gt : path or sequence of paths
        Folder or pattern of the ground truth, or `SET=PATH` for each data set; see `references`.
    suffix : str
        What names of results end with, before the extension, besides the content.
    clips : bool
        Images are frames of video: `<clip>/<frame>.png` where `<content>.png` would be.

    Returns
    -------
    tuple of Results
        One for each data set that all methods have, sorted by name. Data sets that some method
        lacks are told in `unmatched` of the first.

    Raises
    ------
    SriqaError
        For an argument without images, a name given twice, two files of a method with the same
        content, no data set or content that all methods have, a suffix that no file has, and
        ground truth that is missing.
    """
    if not arguments:
        raise SriqaError("no results to compare; give a folder or a quoted pattern for each method")
    places = [read_place(os.fspath(argument), clips) for argument in arguments]
    if suffix:
        places = without_suffix(places, suffix)
    methods = names_of(places)
    found = _in_one_set([place.sets for place in places])
    everywhere = sorted(set().union(*found))
    shared = [each for each in everywhere if all(each in sets for sets in found)]
    if not shared:
        raise _no_set(methods, found)
    given = [gt] if isinstance(gt, (str, os.PathLike)) else gt
    references = read_references([os.fspath(path) for path in given], shared, everywhere, clips)
    results = [
        _matched(
            each,
            {m: sets[each] for m, sets in zip(methods, found, strict=True)},
            references.get(each),
            clips,
        )
        for each in shared
    ]
    absent = [each for each in everywhere if each not in shared]
    return (_with_absent(results[0], absent, found), *results[1:])


def _in_one_set(found: Sequence[Mapping[str, Source]]) -> list[Mapping[str, Source]]:
    """Images in no set are of the only one that there is."""
    names = set().union(*found) - {""}
    if len(names) != 1:
        return list(found)
    return [{name or next(iter(names)): source for name, source in sets.items()} for sets in found]


def _no_set(methods: Sequence[str], found: Sequence[Mapping[str, Source]]) -> SriqaError:
    has = "; ".join(
        f"{method} has {listed(sorted(sets), 3) if any(sets) else 'images in no data set'}"
        for method, sets in zip(methods, found, strict=True)
    )
    return SriqaError(
        f"no data set that all methods have, by the names of their folders: {has}; give the folder "
        "of one data set for each method, or call these folders alike"
    )


def _matched(
    data_set: str, sources: Mapping[str, Source], reference: Source | None, clips: bool
) -> Results:
    """One data set, by content."""
    methods = tuple(sources)
    named = match_contents({**sources, **({"": reference} if reference else {})})
    truth = named.pop("", None)
    found = list(named.values())
    everything = sorted(set().union(*found))
    common = [content for content in everything if all(content in files for files in found)]
    contents = [content for content in common if truth is None or content in truth]
    if not contents:
        raise _no_content(data_set, named, common, truth)
    holders = [*named.items(), *([(GROUND_TRUTH, truth)] if truth is not None else [])]
    lacking = {
        content: tuple(holder for holder, files in holders if content not in files)
        for content in everything
    }
    return Results(
        methods=methods,
        contents=tuple(contents),
        paths=tuple(tuple(str(files[content]) for content in contents) for files in found),
        unmatched=_unmatched(lacking, clips),
        files=tuple(str(path) for _, files in holders for path in files.values()),
        data_set=data_set,
        references=tuple(str(truth[content]) for content in contents) if truth is not None else (),
        clips=tuple(content.rpartition("/")[0] for content in contents) if clips else (),
    )


def _no_content(
    data_set: str,
    named: Mapping[str, Mapping[str, Path]],
    common: Sequence[str],
    truth: Mapping[str, Path] | None,
) -> SriqaError:
    where = f"{data_set}: " if data_set else ""
    if truth is not None and common:
        example = next(iter(truth.values()))
        return SriqaError(
            f"{where}no ground truth of what all methods have, by the names of the files: these "
            f"have {listed(common, 3)}; it has {listed(sorted(truth), 3)}; a pattern can say which "
            f"part of a name is the content, such as '{example.parent}/*_HR{example.suffix}'"
        )
    has = "; ".join(f"{method} has {listed(sorted(files), 3)}" for method, files in named.items())
    return SriqaError(
        f"{where}no content that all methods have, by the names of their files: {has}; drop the "
        "end of names with --suffix, or give a pattern whose wildcard is the content"
    )


def _unmatched(lacking: Mapping[str, tuple[str, ...]], clips: bool) -> tuple[Unmatched, ...]:
    """Contents that somebody lacks; a whole clip is one."""
    groups: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for content, by in lacking.items():
        groups[content.rpartition("/")[0] if clips else content][content] = by
    told = []
    for group, members in groups.items():
        if len(members) > 1 and len(set(members.values())) == 1:
            members = {f"{group} ({counted(len(members), 'frame')})": next(iter(members.values()))}
        told += [Unmatched(content, by) for content, by in members.items() if by]
    return tuple(told)


def _with_absent(
    results: Results, data_sets: Sequence[str], found: Sequence[Mapping[str, Source]]
) -> Results:
    """The results, and what is told of data sets that some methods lack."""
    told, files = list(results.unmatched), list(results.files)
    for k, each in enumerate(data_sets):
        paths = [[path for _, path in sets[each].files] if each in sets else [] for sets in found]
        most = counted(max(map(len, paths)), "content")
        lacking = tuple(m for m, own in zip(results.methods, paths, strict=True) if not own)
        told.insert(k, Unmatched(f"{each} ({most})", lacking))
        files += [str(path) for own in paths for path in own]
    return replace(results, unmatched=tuple(told), files=tuple(files))
