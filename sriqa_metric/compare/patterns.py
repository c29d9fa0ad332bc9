"""Patterns such as `results/*/ours/*.png`: the files that they match, by set and content.

Where the file's name has a wildcard, that stands for the content, and the wildcards of folders for
the set; where it has none, the wildcards of folders stand for the content. Of frames of video the
last wildcard stands for the frame, the one before it for the clip, and those before for the set.
"""

from __future__ import annotations

import glob
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ..errors import SriqaError
from ..files import EXTENSIONS
from ..sr_folders import Source, entries_of, is_image, nfc

# What stands for any text in a pattern; a class of one character, as in `[[]`, stands for itself.
_WILD = re.compile(r"\*+|\?|\[(?:![^]/]|[^]/][^]/])[^]/]*\]")
_ONE = re.compile(r"\[([^!/])\]")
_SEPARATORS = "_-. "
_ANY_FOLDERS = "**"


def is_pattern(text: str) -> bool:
    """Whether a text has a wildcard."""
    return bool(_WILD.search(text))


def read_pattern(argument: str, clips: bool) -> tuple[tuple[str, ...], dict[str, Source]]:
    """The literal parts of a pattern, the last of which names it, and the files by set.

    Raises
    ------
    SriqaError
        If no image file matches it, a folder cannot be read, or it does not tell clips from frames.
    """
    pattern = os.path.normpath(argument)
    root, extension = os.path.splitext(pattern)
    if not any(fnmatch(known, extension.lower()) for known in EXTENSIONS):
        root = pattern
    parts = Path(root).parts
    around = () if os.path.isabs(root) else Path.cwd().parts
    where = (*around, *filter(None, map(_literal, parts)))
    _check_folders(parts)
    found = defaultdict(list)
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):
        if is_image(path):
            texts = list(_stood_for(parts, (*path.parts[:-1], path.stem)))
            last = 2 if clips else 1 if is_pattern(parts[-1]) else len(texts)
            if len(texts) < last:
                raise SriqaError(
                    f"{argument}: needs a wildcard for the clip and one for the frame, such as "
                    "'ours/*/*.png'"
                )
            name = "/".join(texts[-last:]).strip("/") if texts else ""
            data_set = nfc("/".join(filter(None, texts[:-last])))
            found[data_set].append((name or path.stem, path))
    if not found:
        raise SriqaError(f"{argument}: no image files match this pattern")
    if len(found) > 1 and "" in found:
        found["."] = found.pop("")  # beside the folders of the others
    return where, {each: Source(where[-1], files) for each, files in found.items()}


def _check_folders(parts: Sequence[str]) -> None:
    """Raise for a folder that cannot be read, which `glob` passes over."""
    folders: set[str] = set()
    for k, part in enumerate(parts):
        if is_pattern(part):
            above = parts[: k + (part == _ANY_FOLDERS)]
            folders.update(glob.iglob(os.path.join(os.curdir, *above, ""), recursive=True))
    for folder in folders:
        entries_of(Path(folder))


def _stood_for(parts: Sequence[str], given: Sequence[str]) -> Iterator[str]:
    """What the wildcards of each part stand for in a path that the pattern matches."""
    for part, text in _aligned(parts, given):
        if wild := list(_WILD.finditer(part)):
            before = len(_ONE.sub(r"\1", part[: wild[0].start()]))
            after = len(_ONE.sub(r"\1", part[wild[-1].end() :]))
            yield text[before : len(text) - after]


def _aligned(parts: Sequence[str], given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Parts of a pattern with those of a path; `**` stands for as many as there are."""
    several = [k for k, part in enumerate(parts) if part == _ANY_FOLDERS]
    if not several:
        yield from zip(parts, given, strict=True)
        return
    before, after = several[0], len(parts) - 1 - several[-1]
    yield from zip(parts[:before], given[:before], strict=True)
    yield from (("*", text) for text in given[before : len(given) - after])
    yield from zip(parts[len(parts) - after :], given[len(given) - after :], strict=True)


def _literal(part: str) -> str:
    """What a part of a pattern says literally, without the separators at the wildcards."""
    texts = [_ONE.sub(r"\1", text) for text in _WILD.split(part)]
    if len(texts) == 1:
        return texts[0]
    return "_".join(filter(None, (text.strip(_SEPARATORS) for text in texts)))
