"""Where in an image quality drops: one score per crop, on the whole grid of crops.

The resolution is that of a crop. A score says something of all the 224×224 pixels under its
window, and neighbouring windows share most of theirs, so a map shows regions, not edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch

from .crops import enlarged_size, grid_count, grid_start, read_windows
from .errors import SriqaError
from .images import MAX_PIXELS, ImageLike, KeptImage, to_tensor
from .memory import PassSize
from .scoring import Scorable, not_finite, score_all, tried

# More than an image of 200 megapixels has on the default grid, unless it is long and thin.
_MOST_WINDOWS = 100_000


@dataclass(frozen=True, eq=False)
class QualityMap:
    """Scores of all the windows of an image.

    An image whose short side is below `size` is enlarged before it is read; `tops`, `lefts` and
    `size` are pixels of the image as it is read, `window` gives those of the image itself.

    Parameters
    ----------
    scores : ndarray, (rows, columns), float32
        Each is the metric of that one crop alone; higher is better.
    tops, lefts : ndarray, (rows,) and (columns,), int
        First pixel of every window. The last step may be shorter: the last edge is included.
    size : int
        Side of a window.
    height, width : int
        Of the image.
    score : float
        The ordinary score of the image, from the few crops of the metric's policy.
    metric, weights : str
        Name of the metric and the id of its weights.
    """

    scores: np.ndarray
    tops: np.ndarray
    lefts: np.ndarray
    size: int
    height: int
    width: int
    score: float
    metric: str
    weights: str

    def window(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Top, left, bottom and right of a window, in pixels of the image itself."""
        tall, wide = enlarged_size(self.height, self.width, self.size)
        down, across = self.height / tall, self.width / wide
        top, left = int(self.tops[row]), int(self.lefts[column])
        return top * down, left * across, (top + self.size) * down, (left + self.size) * across

    def per_pixel(self, shape: tuple[int, int] | None = None) -> np.ndarray:
        """A field to draw over the image: the scores, interpolated between window centres.

        Bilinear. At the centre of a window the field is the score of that crop; beyond the
        outermost centres, within half a window of the edge, it stays what it is there.

        Parameters
        ----------
        shape : tuple of int, optional
            Height and width at which the image is drawn; by default its own.

        Returns
        -------
        ndarray, (height, width), float32
            Nowhere below the lowest or above the highest score.
        """
        rows_drawn, columns_drawn = shape or (self.height, self.width)
        tall, wide = enlarged_size(self.height, self.width, self.size)
        half = self.size / 2
        columns = _stretched(self.scores, self.tops + half, tall, rows_drawn)
        return _stretched(columns.T, self.lefts + half, wide, columns_drawn).T


def _stretched(values: np.ndarray, centres: np.ndarray, length: int, count: int) -> np.ndarray:
    """Values (n, m) that stand at `centres` along `length`, at `count` pixels: (count, m)."""
    last = len(centres) - 1
    pixels = (np.arange(count) + 0.5) * length / count
    place = np.interp(pixels, centres, np.arange(last + 1))
    before = place.astype(np.intp)
    weight = (place - before).astype(np.float32)[:, None]
    step = values[np.minimum(before + 1, last)] - values[before]
    return values[before] + step * weight


class Named(Scorable, Protocol):
    """A metric that says which it is."""

    @property
    def name(self) -> str: ...

    @property
    def weights_id(self) -> str: ...


def quality_map(
    metric: Named,
    image: ImageLike,
    batch_size: int | None = None,
    track: Callable[[Sequence[int]], Iterable[int]] = iter,
    max_pixels: int = MAX_PIXELS,
    score: float | None = None,
) -> QualityMap:
    """Score every window of the grid that the metric's crop policy lays over an image.

    Parameters
    ----------
    metric : Named
    image : path, PIL image, ndarray (H, W, 3) or tensor (3, H, W)
    batch_size : int, optional
        Crops that are cut out and go through the network at once; by default what is fast on the
        device.
    track : callable, optional
        Goes through the batches; a progress bar may watch here.
    max_pixels : int
        A larger image is an error, see `to_tensor`.
    score : float, optional
        The ordinary score of the image, where it is known; by default it is computed.

    Returns
    -------
    QualityMap

    Raises
    ------
    ImageError
        If the image cannot be read; the message names it.
    SriqaError
        If its map would have more than 100,000 windows, or a score of it is not finite.
    """
    kept = KeptImage(image)
    name, pixels = kept.name, to_tensor(kept, max_pixels=max_pixels)
    policy, size = metric.policy, batch_size or metric.crops_per_pass
    at_once = PassSize(size)
    height, width = pixels.shape[-2:]
    tall, wide = enlarged_size(height, width, policy.size)
    down, across = grid_count(tall, policy), grid_count(wide, policy)
    if down * across > _MOST_WINDOWS:
        raise SriqaError(
            f"{name}: its map would have {down}×{across} = {down * across} windows, over the limit "
            f"of {_MOST_WINDOWS}; map a part of the image"
        )
    tops = [grid_start(row, tall, policy) for row in range(down)]
    lefts = [grid_start(column, wide, policy) for column in range(across)]
    where = [(top, left) for top in tops for left in lefts]

    @torch.inference_mode()
    def scored(chosen: list[tuple[int, int]], fitting: int) -> np.ndarray:
        parts = [chosen[first : first + fitting] for first in range(0, len(chosen), fitting)]
        crops = (read_windows(pixels, part, policy.size).to(metric.device) for part in parts)
        return torch.cat([metric.read(metric.encode(x, fitting)).cpu() for x in crops]).numpy()

    scores = np.empty(len(where), np.float32)
    for start in track(range(0, len(where), size)):
        chosen = where[start : start + size]
        found = tried(name, partial(at_once.run, partial(scored, chosen), len(chosen)))
        if isinstance(found, SriqaError):
            raise found
        scores[start : start + size] = found
    odd = scores[~np.isfinite(scores)]
    if odd.size:
        raise not_finite(name, float(odd[0]))
    return QualityMap(
        scores=scores.reshape(down, across),
        tops=np.array(tops),
        lefts=np.array(lefts),
        size=policy.size,
        height=height,
        width=width,
        score=score_all(metric, [kept])[0] if score is None else score,
        metric=metric.name,
        weights=metric.weights_id,
    )
