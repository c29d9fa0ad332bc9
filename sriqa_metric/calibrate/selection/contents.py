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
from ...files import EXTENSIONS


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
        Folder of the methods' folders. A result is `<root>/<method>/<content>.<extension>`, or,
        where the method's folder itself has no images,
        `<root>/<method>/SR/<content>_<method>.<extension>` (or any other ending without an
        underscore that all these files share).
    lr : Path
        Folder of the LR inputs, `<lr>/<content>.<extension>`; it may lie in `root`.
    methods : sequence of str, optional
        Which methods; by default every folder in `root` with images, but `lr`.
    skip_incomplete : bool
        Leave out contents that cannot be used, instead of raising.

    Raises
    ------
    SriqaError
        For a missing folder, fewer than two methods, and, all at once and by name, contents
        without a result of every method or LR input, with two files for one image, with results
        of different sizes, or with unreadable files.
    """
    for folder in (root, lr):
        if not folder.is_dir():
            raise SriqaError(f"{folder}: no such folder")
    root, lr = root.resolve(), lr.resolve()
    by_method = _results(root, lr, methods)
    by_method = {method: by_method[method] for method in sorted(by_method)}
    inputs = _images(lr)
    if not inputs:
        raise SriqaError(f"{lr}: no images; looked for {', '.join(sorted(EXTENSIONS))}")
    names = sorted({content for found in by_method.values() for content in found})
    candidates = [
        {**{m: found.get(name, []) for m, found in by_method.items()}, "": inputs.get(name, [])}
        for name in names
    ]
    with ThreadPoolExecutor() as pool:
        checked = list(tracked(pool.map(_check, candidates), "headers", len(names)))
    notes = [f"{len(by_method)} methods: {', '.join(by_method)}"]
    unused = sorted(set(inputs) - set(names))
    if unused:
        notes.append(f"{len(unused)} LR inputs have no result of any method, as {unused[0]!r}")
    bad = {name: found for name, found in zip(names, checked, strict=True) if found[1]}
    if bad:
        listed = "".join(f"\n  {name}: {'; '.join(found[1])}" for name, found in bad.items())
        if not skip_incomplete:
            raise SriqaError(
                f"{root}: {len(bad)} of {len(names)} contents cannot be used; mend them, or leave "
                f"them out with --skip-incomplete:{listed}"
            )
        notes.append(f"{len(bad)} of {len(names)} contents are left out:{listed}")
    kept = [name for name in names if name not in bad]
    if not kept:
        raise SriqaError(f"{root}: no content can be used\n" + "\n".join(notes[1:]))
    return Contents(
        tuple(by_method),
        tuple(kept),
        {(m, name): found[name][0] for m, found in by_method.items() for name in kept},
        {name: inputs[name][0] for name in kept},
        tuple(found[0] for found in checked if not found[1]),
        tuple(notes),
    )


def _results(
    root: Path, lr: Path, methods: Sequence[str] | None
) -> dict[str, dict[str, list[Path]]]:
    """Method -> content -> its files."""
    folders = {p.name: p for p in root.iterdir() if p.is_dir() and p.resolve() != lr}
    found = {}
    for method in folders if methods is None else methods:
        if method not in folders:
            raise SriqaError(f"{root}: no folder of method {method!r}; found {sorted(folders)}")
        folder = folders[method]
        images = _images(folder)
        if not images and (folder / "SR").is_dir():
            images = _without_ending(_images(folder / "SR"), method)
        if images:
            found[method] = images
        elif methods is not None:
            raise SriqaError(f"{folder}: no images; looked for {', '.join(sorted(EXTENSIONS))}")
    if len(found) < 2:
        raise SriqaError(f"{root}: needs the folders of two or more methods, found {list(found)}")
    return found


def _without_ending(images: dict[str, list[Path]], method: str) -> dict[str, list[Path]]:
    """`<content>_<method>` -> `<content>`, or what else all names end with after the last `_`."""
    ending = f"_{method}"
    if not all(name.endswith(ending) for name in images):
        endings = {"".join(name.rpartition("_")[1:]) for name in images}
        ending = endings.pop() if len(endings) == 1 else ""
    return {name.removesuffix(ending): paths for name, paths in images.items()}


def _images(folder: Path) -> dict[str, list[Path]]:
    """Content -> its files."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in EXTENSIONS:
            found.setdefault(path.stem, []).append(path)
    return found


def _check(files: dict[str, list[Path]]) -> tuple[str, list[str]]:
    """Stamp of a content (method -> files; "" is the LR input), and what is wrong with it."""
    problems = []
    stamps: list[tuple[str, int, int]] = []
    sizes: dict[str, tuple[int, int]] = {}
    missing = [method for method, paths in files.items() if method and not paths]
    if missing:
        problems.append(f"no result of {', '.join(missing)}")
    if not files[""]:
        problems.append("no LR input")
    for method, paths in files.items():
        if len(paths) > 1:
            problems.append(f"several files for one image: {', '.join(map(str, paths))}")
        for path in paths[:1]:
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
