"""Where results of SR methods lie, and which files show the same content.

A method's results are the image files

- of its folder, `<method>/<content>.png`; or, where these are none,
- of `<method>/SR/`; or, where these are none,
- of every `<method>/visualization/<set>/`, as BasicSR writes them; or, where these are none and
  the caller takes such sets,
- of every `<method>/<set>/`.

Where they are frames of video, a folder of clips, `<clip>/<frame>.png`, stands wherever a folder of
images does here. Hidden files, and folders with names of images, are no image files. What a content
is called is said at `match_contents`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from .errors import SriqaError
from .files import EXTENSIONS, listed

_SCALE = re.compile(r"(?:[_-]?x(?:[1-8]|16)|[_-](?:[1-8]|16)x|_SRF_[1-8])$", re.IGNORECASE)


class Source(NamedTuple):
    """The image files of one method.

    Parameters
    ----------
    name : str
        Of the method, as the names of its files may end.
    files : sequence of (str, Path)
        Name without extension, behind those of its set and of its clip where it has these
        (`<set>/<clip>/<frame>`), and file.
    sets : sequence of str
        With which, and a slash, the names begin; none where the files are in no sets.
    """

    name: str
    files: Sequence[tuple[str, Path]]
    sets: Sequence[str] = ()


def is_image(path: Path) -> bool:
    """Whether a path is taken for an image where a folder is searched."""
    name = path.name
    named_so = path.suffix.lower() in EXTENSIONS and not name.startswith(".")
    return named_so and not os.path.isdir(path)


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, sorted by name; none where there is no such folder.

    Raises
    ------
    SriqaError
        If it cannot be read.
    """
    return [path for path in entries_of(folder) if is_image(path)]


def folders_in(root: Path) -> list[Path]:
    """The folders in a folder that are not hidden, sorted by name; raises as `images_in`."""
    return [p for p in entries_of(root) if os.path.isdir(p) and not p.name.startswith(".")]


def images_below(folder: Path) -> list[Path]:
    """The image files of a folder and of all folders in it; raises as `images_in`."""
    return [
        path
        for root, _, names in os.walk(folder, onerror=_unreadable)
        for path in (Path(root, name) for name in sorted(names))
        if is_image(path)
    ]


def entries_of(folder: Path) -> list[Path]:
    """All that is in a folder, sorted by name; as `images_in` otherwise."""
    try:
        return sorted(folder / name for name in os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _unreadable(error)


def _unreadable(error: OSError) -> NoReturn:
    raise SriqaError(f"{error.filename}: {error.strerror}; make the folder readable") from None


def nfc(name: str) -> str:
    """A name in Unicode's composed form: some file systems keep é as one character, some as two."""
    return unicodedata.normalize("NFC", name)


def method_folder(root: Path, method: str) -> Path:
    """The folder of a method, whether it is there or not.

    Raises
    ------
    SriqaError
        For a name that leads out of `root`.
    """
    if method in ("", "..") or Path(method).name != method:
        raise SriqaError(f"{root}: method is {method!r}; name a folder in it, without / or ..")
    return root / method


def read_method(folder: Path, plain_sets: bool = False, clips: bool = False) -> Source:
    """The image files of one method, see the top of this file; maybe none.

    Parameters
    ----------
    folder : Path
    plain_sets : bool
        Take `<method>/<set>/`, too.
    clips : bool
        Images are frames, in folders of their clips.
    """
    name = Path(os.path.abspath(folder)).name  # also of "." and ".."
    for place in (folder, folder / "SR"):
        if files := named_images(place, clips):
            return Source(name, files)
    found = read_sets(name, folder / "visualization", clips)
    return read_sets(name, folder, clips) if plain_sets and not found.files else found


def read_sets(name: str, folder: Path, clips: bool = False) -> Source:
    """The image files of a folder of sets, `<folder>/<set>/<content>.png`; maybe none."""
    sets = {each.name: named_images(each, clips) for each in folders_in(folder)}
    files = [(f"{each}/{stem}", path) for each, found in sets.items() for stem, path in found]
    return Source(name, files, [each for each, found in sets.items() if found])


def named_images(folder: Path, clips: bool = False) -> list[tuple[str, Path]]:
    """The image files of a folder, or of the clips in it, with their names without extension."""
    if clips:
        found = {clip.name: images_in(clip) for clip in folders_in(folder)}
        return [(f"{clip}/{path.stem}", path) for clip, paths in found.items() for path in paths]
    return [(path.stem, path) for path in images_in(folder)]


def match_contents(sources: Mapping[str, Source]) -> dict[str, dict[str, Path]]:
    """Name the contents of several methods.

    A content is called what its file is called without the extension, in Unicode's composed form
    (NFC), without `_<method>` at its end, and without an ending that *all* image files of the
    method share:

    - a scale: `x4`, `_x4`, `-x4`, `_4x`, `_SRF_4`;
    - `_out`, as Real-ESRGAN writes;
    - of two files or more, any `_<run>` without an underscore but with a letter in it;

    and so on with what is left: `0801x4_SwinIR` is 0801. An ending that another method's contents
    have, by their whole names, belongs to the content and stays: where one method has `a_day` and
    `b_night`, the other's `a_day`, `c_day` are not cut. A set is part of the name, `<set>/000`,
    where some method has several sets.

    Parameters
    ----------
    sources : mapping
        Any key -> image files of one method.

    Returns
    -------
    dict
        The same keys -> content -> file.

    Raises
    ------
    SriqaError
        For two files of a method for one content; both are named.
    """
    named = {key: _named(source) for key, source in sources.items()}
    steps = {key: _steps(sources[key], list(files)) for key, files in named.items()}
    shortest = Counter(name for each in steps.values() for name in each[-1])
    found = {}
    for key, files in named.items():
        own = set(steps[key][-1])
        names = next(
            (step for step in steps[key] if any(shortest[n] > (n in own) for n in step)),
            steps[key][-1],
        )
        found[key] = dict(zip(names, files.values(), strict=True))
    return found


def _named(source: Source) -> dict[str, Path]:
    """Names in NFC, each once."""
    files: dict[str, Path] = {}
    for given, path in source.files:
        name = nfc(given)
        name = name.removesuffix(f"_{nfc(source.name)}") or name
        if name in files:
            raise SriqaError(
                f"{files[name]} and {path}: two files of {source.name} for the content {name!r}; "
                "keep one"
            )
        files[name] = path
    return files


def _steps(source: Source, names: list[str]) -> list[list[str]]:
    """The names as they are, and after each cut."""
    steps = [names]
    while ending := _ending(steps[-1]):
        steps.append([name.removesuffix(ending) for name in steps[-1]])
    if len(source.sets) == 1:
        prefix = nfc(f"{source.sets[0]}/")
        steps.append([name.removeprefix(prefix) for name in steps[-1]])
    return steps


def _ending(names: list[str]) -> str:
    """The next ending that all names share, with something before it; else nothing."""
    if not names:
        return ""
    endings = ["_out"]
    if scale := _SCALE.search(names[0]):
        endings.append(scale[0])
    run = names[0].rpartition("_")[2]
    if len(names) > 1 and "/" not in run and any(map(str.isalpha, run)):
        endings.append(f"_{run}")
    for ending in endings:
        if all(n.endswith(ending) and n.removesuffix(ending)[-1:] not in ("", "/") for n in names):
            return ending
    return ""


def possible_contents(name: str) -> set[str]:
    """Every content that a file may show, whatever endings its name (without extension) has."""
    parts = nfc(name).split("_")
    found = {"_".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return found | {_SCALE.sub("", each) for each in found}


def no_images(folder: Path) -> SriqaError:
    """The error for a folder in which no image was found."""
    below = len(folders_in(folder))
    held = f", but {below} folder{'s' * (below > 1)}; give one of these" if below else ""
    return SriqaError(f"{folder}: no images{held}; looked for {listed(sorted(EXTENSIONS), 20)}")
