"""The images that training reads: SR results by method and content, and pristine photos."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import SriqaError
from ...files import EXTENSIONS
from ...images import as_float, read_image


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
    """

    methods: tuple[str, ...]
    contents: tuple[str, ...]
    mu: np.ndarray
    paths: dict[tuple[str, str], Path]

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
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = {"method", "mu"} - set(reader.fieldnames or ())
            if missing:
                raise SriqaError(f"{path}: no column {sorted(missing)}; expected method,mu")
            for row in reader:
                name, text = row["method"], row["mu"]
                try:
                    mu = float(text)
                except (TypeError, ValueError):
                    mu = float("nan")
                if not np.isfinite(mu):
                    raise SriqaError(f"{path}: line {reader.line_num}: mu of {name!r} is {text!r}")
                if name in ranking:
                    raise SriqaError(f"{path}: line {reader.line_num}: {name!r} is named twice")
                ranking[name] = mu
    except OSError as error:
        raise SriqaError(f"{path}: {error.strerror}; expected a CSV file method,mu") from None
    if len(ranking) < 2:
        raise SriqaError(f"{path}: a ranking needs at least two methods, found {len(ranking)}")
    return ranking


def read_sr_results(
    root: Path, ranking: Path, exclude: Sequence[Path] = (), skip_incomplete: bool = False
) -> SRResults:
    """Find the results of every ranked method, `<root>/<method>/<content>.<extension>`.

    The name of a file may end with `_<method>`. Folders of methods that the ranking does not name
    (the LR and HR images, say) are not read.

    Parameters
    ----------
    root, ranking : Path
    exclude : sequence of Path
        Folders of test images. A content that one of their files shows is left out: a file named
        after the content, or after the content, `_` and anything.
    skip_incomplete : bool
        Leave out contents that not every method has.

    Raises
    ------
    SriqaError
        If a method has no folder, or methods do not have the same contents; both are named.
    """
    mu = read_ranking(ranking)
    methods = tuple(sorted(mu, key=lambda name: -mu[name]))
    paths = {}
    for method in methods:
        folder = root / method
        if not folder.is_dir():
            raise SriqaError(f"{folder}: no such folder, but the ranking names {method!r}")
        for path in folder.iterdir():
            if path.suffix.lower() in EXTENSIONS:
                paths[method, path.stem.removesuffix(f"_{method}")] = path
    contents = {content for _, content in paths} - _tested(exclude)
    lacking = [(m, c) for c in sorted(contents) for m in methods if (m, c) not in paths]
    if lacking and not skip_incomplete:
        shown = ", ".join(f"{m}/{c}" for m, c in lacking[:5])
        raise SriqaError(
            f"{root}: every method needs the same contents; {len(lacking)} are missing: {shown}; "
            "--skip-incomplete leaves these contents out"
        )
    kept = tuple(sorted(contents - {content for _, content in lacking}))
    if not kept:
        raise SriqaError(f"{root}: no content is left that every one of {', '.join(methods)} has")
    found = {(m, c): paths[m, c] for m in methods for c in kept}
    return SRResults(methods, kept, np.array([mu[m] for m in methods]), found)


def _tested(folders: Sequence[Path]) -> set[str]:
    """Every name that a content could have of which the folders hold an image."""
    names = set()
    for folder in folders:
        if not folder.is_dir():
            raise SriqaError(f"{folder}: no such folder; its contents were to be left out")
        for path in folder.rglob("*"):
            if path.suffix.lower() in EXTENSIONS:
                parts = path.stem.split("_")
                names |= {"_".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return names


def find_images(root: Path) -> list[Path]:
    """Image files of a folder, sorted by name.

    Raises
    ------
    SriqaError
        If there is no folder, or no image in it.
    """
    if not root.is_dir():
        raise SriqaError(f"{root}: no such folder")
    found = sorted(path for path in root.iterdir() if path.suffix.lower() in EXTENSIONS)
    if not found:
        raise SriqaError(f"{root}: no images; looked for {', '.join(sorted(EXTENSIONS))}")
    return found


def pixels(path: Path) -> np.ndarray:
    """An image as (H, W, 3) uint8, as the distortions take it."""
    image = read_image(path)
    if image.is_floating_point():
        image = (as_float(image) * 255).round().byte()
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
