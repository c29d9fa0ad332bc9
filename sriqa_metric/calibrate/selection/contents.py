"""Which contents a selection can take: every method's result and the LR input, checked first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ...cli.progress import tracked
from ...errors import SriqaError
from ...names import counted
from ...sr_folders import (
    Source,
    folders_in,
    match_contents,
    method_folder,
    no_images,
    read_method,
    read_sets,
)


@dataclass(frozen=True)
class Contents:
    """The results of N methods and the LR inputs.

    Parameters
    ----------
    methods, contents : tuple of str
        Sorted; method pairs are (0, 1), (0, 2), ..., (N − 2, N − 1).
    results : dict
        (method, content) -> file.
    inputs : dict
        content -> file of the LR input.
    stamps : tuple of str
        For each content, a digest of the names, sizes and times of its files.
    notes : tuple of str
        What the user should know: methods found, contents left out.
    """

    methods: tuple[str, ...]
    contents: tuple[str, ...]
    results: dict[tuple[str, str], Path]
    inputs: dict[str, Path]
    stamps: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def files(self, content: str) -> list[Path]:
        """Its results, in the order of the methods, and its LR input."""
        return [*(self.results[m, content] for m in self.methods), self.inputs[content]]


def find_contents(
    root: Path,
    lr: Path,
    methods: Sequence[str] | None = None,
    skip_incomplete: bool = False,
) -> Contents:
    """Find and check all images; only their headers are read.

    Parameters
    ----------
    root : Path
        Folder of the methods' folders, in which files are named as `sr_folders` says.
    lr : Path
        Folder of the LR inputs, named in the same way; it may lie in `root`. Where results are
        in several sets, so may they be: `<lr>/<set>/<content>.png`.
    methods : sequence of str, optional
        Which methods; by default every folder in `root` with images, but `lr`.
    skip_incomplete : bool
        Leave out contents that cannot be used, instead of raising.

    Raises
    ------
    SriqaError
        For a missing folder, fewer than two methods, two files for one content, and, all at once
        and by name, contents without a result of every method or LR input, with results of
        different sizes, or with unreadable files.
    """
    for folder in (root, lr):
        if not folder.is_dir():
            raise SriqaError(f"{folder}: no such folder")
    root, lr = root.resolve(), lr.resolve()
    sources = _sources(root, lr, methods)
    lr_source = read_method(lr)
    in_sets = any("/" in name for source in sources.values() for name, _ in source.files)
    if in_sets and not lr_source.files:
        lr_source = read_sets(lr.name, lr)
    if not lr_source.files:
        raise no_images(lr)
    # The LR inputs are one more method: `000x4` is named with its results.
    by_method = match_contents({**{m: sources[m] for m in sorted(sources)}, "": lr_source})
    inputs = by_method.pop("")
    names = sorted({content for found in by_method.values() for content in found})
    candidates = [
        {**{m: found.get(name) for m, found in by_method.items()}, "": inputs.get(name)}
        for name in names
    ]
    with ThreadPoolExecutor() as pool:
        checked = list(tracked(pool.map(_check, candidates), "headers", len(names)))
    notes = [f"{counted(len(by_method), 'method')}: {', '.join(by_method)}"]
    unused = sorted(set(inputs) - set(names))
    if unused:
        notes.append(f"no method has results of {counted(len(unused), 'LR input')}: {unused[0]!r}")
    bad = {name: found for name, found in zip(names, checked, strict=True) if found[1]}
    if bad:
        listed = "".join(f"\n  {name}: {'; '.join(found[1])}" for name, found in bad.items())
        if not skip_incomplete:
            raise SriqaError(
                f"{root}: cannot use {len(bad)} of {counted(len(names), 'content')}; mend them, or "
                f"leave them out with --skip-incomplete:{listed}"
            )
        notes.append(f"left out {len(bad)} of {counted(len(names), 'content')}:{listed}")
    kept = [name for name in names if name not in bad]
    if not kept:
        raise SriqaError(f"{root}: no content can be used: " + "; ".join(notes[1:]))
    return Contents(
        tuple(by_method),
        tuple(kept),
        {(m, name): found[name] for m, found in by_method.items() for name in kept},
        {name: inputs[name] for name in kept},
        tuple(found[0] for found in checked if not found[1]),
        tuple(notes),
    )


def _sources(root: Path, lr: Path, methods: Sequence[str] | None) -> dict[str, Source]:
    """Method -> its image files."""
    folders = [path.name for path in folders_in(root) if path.resolve() != lr]
    found = {}
    for method in folders if methods is None else methods:
        folder = method_folder(root, method)
        if not folder.is_dir():
            there = ", ".join(sorted(folders)) or "none"
            raise SriqaError(f"{root}: no folder of method {method!r}; found {there}")
        source = read_method(folder)
        if source.files:
            found[method] = source
        elif methods is not None:
            raise no_images(folder)
    if len(found) < 2:
        there = ", ".join(found) or "none"
        raise SriqaError(f"{root}: needs the folders of two or more methods, found {there}")
    return found


def _check(files: dict[str, Path | None]) -> tuple[str, list[str]]:
    """Stamp of a content (method -> file; "" is the LR input), and what is wrong with it."""
    problems = []
    stamps: list[tuple[str, int, int]] = []
    sizes: dict[str, tuple[int, int]] = {}
    missing = [method for method, path in files.items() if method and not path]
    if missing:
        problems.append(f"no result of {', '.join(missing)}")
    if not files[""]:
        problems.append("no LR input")
    for method, path in files.items():
        if path is None:
            continue
        try:
            state = path.stat()
            with Image.open(path) as image:
                sizes[method] = image.size
        except Exception as error:  # Pillow's errors on a hostile file are of any type
            problems.append(f"{path} cannot be read ({type(error).__name__}: {error})")
        else:
            stamps.append((path.name, state.st_size, state.st_mtime_ns))
    sizes.pop("", None)
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{method} {size[0]}x{size[1]}" for method, size in sizes.items())
        problems.append(f"results differ in size: {found}")
    return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()[:32], problems
