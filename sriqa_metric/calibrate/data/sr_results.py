"""The images that training reads: SR results by method and content, and pristine photos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...csv_files import number_of, read_table
from ...errors import SriqaError
from ...files import listed
from ...images import as_float, read_image
from ...sr_folders import (
    images_below,
    images_in,
    match_contents,
    method_folder,
    no_images,
    possible_contents,
    read_method,
)


@dataclass(frozen=True)
class SRResults:
    """D: every method's result on every content, with the global ranking.

    Parameters
    ----------
    methods : tuple of str
        N methods, best first.
    contents : tuple of str
        Names of the contents, sorted.
    mu : ndarray, (N,)
        Global ranking.
    paths : dict
        (method, content) -> file.
    left_out : tuple of str
        Methods that the ranking names and the folder lacks.
    """

    methods: tuple[str, ...]
    contents: tuple[str, ...]
    mu: np.ndarray
    paths: dict[tuple[str, str], Path]
    left_out: tuple[str, ...] = ()

    def images(self, method: str) -> list[Path]:
        """The method's results in the order of `contents`."""
        return [self.paths[method, content] for content in self.contents]


def read_ranking(path: Path) -> dict[str, float]:
    """Read a global ranking, CSV with columns `method` and `mu`.

    Raises
    ------
    SriqaError
        For a missing file or column, a value that is no number, a method named twice, or fewer
        than two methods.
    """
    ranking: dict[str, float] = {}
    for line, row in read_table(path, ("method", "mu")):
        name = row["method"]
        if name in ranking:
            raise SriqaError(f"{path}: line {line}: {name!r} is named twice; keep one")
        ranking[name] = number_of(path, line, row, "mu")
    if len(ranking) < 2:
        raise SriqaError(f"{path}: a ranking needs at least two methods, found {len(ranking)}")
    return ranking


def read_sr_results(
    root: Path,
    ranking: Path,
    exclude: Sequence[Path] = (),
    skip_incomplete: bool = False,
    skip_missing: bool = False,
) -> SRResults:
    """Find the results of every ranked method in `<root>/<method>/`, see `sr_folders`.

    Folders of methods that the ranking does not name (the LR and HR images, say) are not read.

    Parameters
    ----------
    root, ranking : Path
    exclude : sequence of Path
        Folders of test images. A content that one of their files may show is left out, see
        `sr_folders.possible_contents`; of a content in a set, the name alone counts.
    skip_incomplete : bool
        Leave out contents that not every method has.
    skip_missing : bool
        Leave out methods that have no folder.

    Raises
    ------
    SriqaError
        If a method has no folder or no images, methods do not have the same contents (both are
        named), a method's name leads out of `root`, or too little is left.
    """
    mu = read_ranking(ranking)
    if not root.is_dir():
        raise SriqaError(f"{root}: no such folder of SR results; check the path")
    folders = {name: method_folder(root, name) for name in sorted(mu, key=lambda name: -mu[name])}
    left_out = tuple(name for name, folder in folders.items() if not os.path.isdir(folder))
    methods = tuple(name for name in folders if name not in left_out)
    if left_out and not skip_missing:
        name = left_out[0]
        raise SriqaError(f"{folders[name]}: no such folder, but the ranking names {name!r}")
    if len(methods) < 2:
        raise SriqaError(
            f"{root}: has {len(methods)} of the {len(mu)} methods of {ranking}, needs at least "
            f"two; add folders of {listed(left_out)}"
        )
    sources = {name: read_method(folders[name]) for name in methods}
    for name, source in sources.items():
        if not source.files:
            raise no_images(folders[name])
    files = match_contents(sources)
    tested = _tested(exclude)
    found = {content for each in files.values() for content in each}
    contents = {content for content in found if content.rpartition("/")[2] not in tested}
    lacking = [(m, c) for c in sorted(contents) for m in methods if c not in files[m]]
    if lacking and not skip_incomplete:
        shown = listed(f"{m}/{c}" for m, c in lacking)
        raise SriqaError(
            f"{root}: every method needs the same contents; {len(lacking)} are missing: {shown}; "
            "--skip-incomplete leaves these contents out"
        )
    kept = tuple(sorted(contents - {content for _, content in lacking}))
    if not kept:
        raise SriqaError(f"{root}: no content is left that every one of {listed(methods)} has")
    paths = {(m, c): files[m][c] for m in methods for c in kept}
    return SRResults(methods, kept, np.array([mu[m] for m in methods]), paths, left_out)


def _tested(folders: Sequence[Path]) -> set[str]:
    """Every name that a content could have of which the folders hold an image."""
    names: set[str] = set()
    for folder in folders:
        if not os.path.isdir(folder):
            raise SriqaError(f"{folder}: no such folder; its contents were to be left out")
        for path in images_below(folder):
            names |= possible_contents(path.stem)
    return names


def find_images(root: Path) -> list[Path]:
    """Image files of a folder, sorted by name.

    Raises
    ------
    SriqaError
        If there is no folder, or no image in it.
    """
    if not os.path.isdir(root):
        raise SriqaError(f"{root}: no such folder")
    found = images_in(root)
    if not found:
        raise no_images(root)
    return found


def pixels(path: Path) -> np.ndarray:
    """An image as (H, W, 3) uint8, as the distortions take it."""
    image = read_image(path)
    if image.is_floating_point():
        image = (as_float(image) * 255).round().byte()
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
