"""The images that the methods differ on most, small enough to stand in a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SriqaError
from .comparison import Comparison
from .comparisons import Comparisons
from .wording import number, places_of

if TYPE_CHECKING:
    from PIL import Image

    from ..quality_map import QualityMap

MOST_CONTENTS = 6
LONGEST_SIDE = 480
MAP_SIDE = 240  # a map is smooth

# Viridis, from the worst to the best: as light as it is good, also for the colour-blind.
COLOURS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


@dataclass(frozen=True)
class Picture:
    """One method's result on a content.

    Parameters
    ----------
    method : str
    scores : tuple of (Comparison, str)
        By each metric that has one.
    data : str
        As a data URL; empty where the file cannot be read.
    width, height : int
    heat : str
        Its quality map over it, as a data URL; empty where there is no map.
    problem : str
        Why the picture or its map is missing.
    """

    method: str
    scores: tuple[tuple[Comparison, str], ...]
    data: str = ""
    width: int = 0
    height: int = 0
    heat: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Content:
    """The results on one content, best first; whose the maps are, and the ends of their scale."""

    data_set: str
    name: str
    pictures: tuple[Picture, ...]
    map_metric: str = ""
    low: str = ""
    high: str = ""


def most_different(
    comparisons: Comparisons,
    quality_map: Callable[[str], QualityMap] | None = None,
    max_pixels: int | None = None,
) -> list[Content]:
    """Contents whose scores lie furthest apart, with the pictures from best to worst.

    How far apart scores lie is counted in standard deviations of all the metric's scores, and of
    several metrics the mean is taken; the first one says which result is best.
    """
    spreads: dict[tuple[str, str], list[float]] = {}
    for one in comparisons.each:
        if one.paths and one.pairs:
            widths = np.ptp(one.scores, axis=0) / (one.scores.std() or 1)
            for content, width in zip(one.contents, widths, strict=True):
                spreads.setdefault((one.data_set, content), []).append(float(width))
    chosen = sorted(spreads, key=lambda key: -float(np.mean(spreads[key])))[:MOST_CONTENTS]
    return [_content(comparisons, *key, quality_map, max_pixels) for key in chosen]


def _content(
    comparisons: Comparisons,
    data_set: str,
    content: str,
    quality_map: Callable[[str], QualityMap] | None,
    max_pixels: int | None,
) -> Content:
    by = [
        (one, one.contents.index(content))
        for one in comparisons.each
        if one.data_set == data_set and content in one.contents
    ]
    first, k = next((one, k) for one, k in by if one.paths)
    order = np.argsort((-1 if first.higher_is_better else 1) * first.scores[:, k], kind="stable")
    read = [_read(first.paths[j][k], quality_map, max_pixels) for j in order]
    maps = [one for _, one, _ in read if one]
    low = min((float(one.scores.min()) for one in maps), default=0.0)
    high = max((float(one.scores.max()) for one in maps), default=0.0)
    pictures = []
    for j, (image, found, problem) in zip(order, read, strict=True):
        scores = tuple((one, number(one.scores[j, at], places_of(one))) for one, at in by)
        data = _webp(image) if image else ""
        heat = _webp(_heat(image, found, low, high)) if image and found else ""
        size = image.size if image else (0, 0)
        pictures.append(Picture(first.methods[j].name, scores, data, *size, heat, problem))
    scale = (maps[0].metric, f"{low:.2f}", f"{high:.2f}") if maps else ()
    return Content(data_set, content, tuple(pictures), *scale)


def _read(
    path: str, quality_map: Callable[[str], QualityMap] | None, max_pixels: int | None
) -> tuple[Image.Image | None, QualityMap | None, str]:
    """The picture, its map, and why one of them is missing."""
    try:
        image = _reduced(path, max_pixels)
    except SriqaError as error:  # it had a score a moment ago
        return None, None, str(error)
    try:
        return image, quality_map(path) if quality_map else None, ""
    except SriqaError as error:
        return image, None, f"no quality map: {error}"


def _reduced(path: str, max_pixels: int | None) -> Image.Image:
    """The picture with no side over `LONGEST_SIDE`."""
    from PIL import Image

    from ..images import MAX_PIXELS, read_image

    pixels = read_image(path, max_pixels=max_pixels or MAX_PIXELS)
    if pixels.is_floating_point():
        pixels = (pixels * 255).round().byte()
    image = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return image


def _heat(image: Image.Image, found: QualityMap, low: float, high: float) -> Image.Image:
    """A map over its picture, in colours from `low` to `high`."""
    from PIL import Image

    small = image.copy()
    small.thumbnail((MAP_SIDE, MAP_SIDE), Image.Resampling.LANCZOS)
    field = (found.per_pixel(small.size[::-1]) - low) / ((high - low) or 1)
    steps = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(field, steps, channel) for channel in np.transpose(COLOURS)]
    # Gray, so that every colour is the map's, and light, so that none drowns in black.
    gray = 85 + np.asarray(small.convert("L"), np.float32)[..., None] * (170 / 255)
    mixed = 0.45 * gray + 0.55 * np.stack(channels, axis=2)
    return Image.fromarray(mixed.round().astype(np.uint8))


def _webp(image: Image.Image) -> str:
    """A picture as a data URL."""
    data = io.BytesIO()
    image.save(data, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"
