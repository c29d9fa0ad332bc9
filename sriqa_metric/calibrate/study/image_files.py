"""The image files of a study: that each is there, inside of the root, and whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import SriqaError
from ...files import listed
from ...images import read_image
from ..data.image_pairs import Pair

OBVIOUS_FACTOR = 8


class ImageFiles:
    """Every file that the pairs name, read once.

    Parameters
    ----------
    pairs : sequence of Pair
    root : Path
        Folder that the paths of the pairs are relative to; no image may lie outside it.

    Attributes
    ----------
    pairs : sequence of Pair
    files : dict
        Path as the pairs have it -> the file.
    sizes : list of (int, int)
        Width and height of the two results of each pair.
    textured : list of (int, str)
        Pair index and side (a | b) of the results that differ most from their degraded version:
        those fit for obvious pairs.

    Raises
    ------
    SriqaError
        Naming the images that are missing, outside of the root or unreadable, and the pairs whose
        two results differ in size.
    """

    def __init__(self, pairs: Sequence[Pair], root: Path) -> None:
        self.pairs = pairs
        self.files = _resolve(_paths(pairs), root)
        checked = _check(self.files)
        self.sizes = []
        problems = []
        for pair in pairs:
            size, other = checked[pair.image_a][0], checked[pair.image_b][0]
            if size != other:
                problems.append(
                    f"pair {pair.pair!r}: {pair.image_a} is {size[0]}x{size[1]}, "
                    f"{pair.image_b} is {other[0]}x{other[1]}"
                )
            self.sizes.append(size)
        if problems:
            raise SriqaError(
                f"results of a pair differ in size: {listed(problems, separator='; ')}"
            )
        results = [
            (index, side, checked[path][1])
            for index, pair in enumerate(pairs)
            for side, path in (("a", pair.image_a), ("b", pair.image_b))
        ]
        middle = float(np.median([loss for _, _, loss in results]))
        self.textured = [(index, side) for index, side, loss in results if loss >= middle]


def degrade(image: Image.Image) -> Image.Image:
    """The same image without its details: 8 times smaller and enlarged again."""
    width, height = image.size
    small = (max(1, width // OBVIOUS_FACTOR), max(1, height // OBVIOUS_FACTOR))
    return image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)


def _paths(pairs: Iterable[Pair]) -> list[str]:
    paths = [path for pair in pairs for path in (pair.image_a, pair.image_b, pair.image_lr) if path]
    return list(dict.fromkeys(paths))


def _resolve(paths: Sequence[str], root: Path) -> dict[str, Path]:
    """The file of each path; symbolic links are followed and must stay inside of the root."""
    try:
        root = root.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SriqaError(f"{root}: folder of images cannot be read: {reason}") from error
    files: dict[str, Path] = {}
    problems = []
    for path in paths:
        try:
            file = (root / path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL character
            problems.append(f"{path!r} is missing")
            continue
        if not file.is_relative_to(root):
            problems.append(f"{path!r} is outside of it")
        elif not file.is_file():
            problems.append(f"{path!r} is no file")
        files[path] = file
    if problems:
        raise SriqaError(f"images under {root}: {listed(problems, separator='; ')}")
    return files


def _check(files: dict[str, Path]) -> dict[str, tuple[tuple[int, int], float]]:
    """Decode every file once: its size, and how much it differs from its degraded version."""

    def check(path: str) -> tuple[tuple[int, int], float] | str:
        try:
            image = decode(files[path])
        except SriqaError as error:
            return str(error)
        difference = np.asarray(image, np.float32) - np.asarray(degrade(image), np.float32)
        return image.size, float(np.sqrt((difference**2).mean()))

    with ThreadPoolExecutor() as pool:
        found = dict(zip(files, pool.map(check, files), strict=True))
    problems = [value for value in found.values() if isinstance(value, str)]
    if problems:
        raise SriqaError(f"images cannot be read: {listed(problems, separator='; ')}")
    return {path: value for path, value in found.items() if not isinstance(value, str)}


def decode(file: Path) -> Image.Image:
    """An image file as 8-bit RGB, decoded as for scoring."""
    pixels = read_image(file)
    if pixels.is_floating_point():
        pixels = (pixels * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
