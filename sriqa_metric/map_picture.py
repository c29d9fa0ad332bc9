"""A quality map as a picture (needs matplotlib, the extra `plot`) and as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .crops import enlarged_size
from .errors import SriqaError
from .files import replaced, write_text
from .images import to_tensor
from .names import csv_line

if TYPE_CHECKING:
    from .images import ImageLike
    from .quality_map import QualityMap

_MOST = 1600  # pixels of the image's long side that are drawn; a panel shows no more


def write_map_csv(quality_map: QualityMap, path: Path) -> None:
    """Write one row per crop, in reading order: top, left, size, score, metric, weights.

    Raises
    ------
    SriqaError
        If the file cannot be written.
    """
    lines = [csv_line(["top", "left", "size", "score", "metric", "weights"])]
    for (row, column), score in np.ndenumerate(quality_map.scores):
        corner = quality_map.tops[row], quality_map.lefts[column]
        source = quality_map.metric, quality_map.weights
        lines.append(csv_line([*corner, quality_map.size, f"{score:.6f}", *source]))
    write_text(path, "".join(lines))


def draw_map(quality_map: QualityMap, image: ImageLike, path: Path) -> None:
    """Draw an image, and beside it the same under its map.

    Parameters
    ----------
    quality_map : QualityMap
    image : path, PIL image, ndarray (H, W, 3) or tensor (3, H, W)
        The image that the map is of.
    path : Path
        Picture to write; its ending says the format (.png, .svg, .pdf).

    Raises
    ------
    SriqaError
        If matplotlib is not installed, the image is of another size than the map, or the picture
        cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SriqaError(
            "pictures of maps need matplotlib, which is not installed: "
            "pip install 'sriqa-metric[plot]'"
        ) from None
    height, width = quality_map.height, quality_map.width
    step = -(-max(height, width) // _MOST)
    pixels = _drawable(image, (height, width), step)
    # Panels of a wide image stand one above the other.
    below = width > 1.5 * height
    ratio = min(max(height / width, 0.2), 3)
    size = (9, 18 * ratio + 1.2) if below else (12, 5.2 * ratio + 1.2)
    figure = Figure(figsize=size, layout="compressed")
    plain, covered = figure.subplots(2, 1) if below else figure.subplots(1, 2)
    extent = (0, width, height, 0)  # ticks count pixels of the image, however it is drawn
    plain.imshow(pixels, extent=extent)
    # Gray, so that every colour is the map's, and light, so that none drowns in black.
    covered.imshow(pixels.mean(2), extent=extent, cmap="gray", vmin=-128, vmax=255)
    field = covered.imshow(
        quality_map.per_pixel()[::step, ::step], extent=extent, cmap="viridis", alpha=0.55
    )
    for axes in (plain, covered):
        axes.tick_params(labelsize=8)
    plain.set_title("image", fontsize=10)
    covered.set_title(_note(quality_map), fontsize=10)
    bar = figure.colorbar(field, ax=covered, pad=0.02)
    bar.set_label("score, higher is better", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    source = f"{quality_map.metric}, weights {quality_map.weights}"
    figure.suptitle(f"{source}: score {quality_map.score:.2f}", fontsize=11)
    try:
        with replaced(path) as partial:
            figure.savefig(partial, format=path.suffix[1:] or "png", dpi=150, bbox_inches="tight")
    except SriqaError:
        raise
    except ValueError as error:  # the ending
        raise SriqaError(f"{path}: cannot write the map: {error}") from None


def _note(quality_map: QualityMap) -> str:
    size = quality_map.size
    note = f"one value per {size}×{size} crop"
    tall, wide = enlarged_size(quality_map.height, quality_map.width, size)
    if (tall, wide) == (quality_map.height, quality_map.width):
        return note
    return f"{note} of the image enlarged to {wide}×{tall}"


def _drawable(image: ImageLike, size: tuple[int, int], step: int) -> np.ndarray:
    """The image as uint8 (H, W, 3), each side a `step`-th as long."""
    tensor = to_tensor(image).detach().cpu()
    if tensor.shape[-2:] != size:
        expected, found = (f"{width}×{height}" for height, width in (size, tensor.shape[-2:]))
        raise SriqaError(f"the map is of an image of {expected} pixels, not {found}")
    if tensor.is_floating_point():
        tensor = (tensor * 255).round().byte()
    return np.asarray(Image.fromarray(tensor.permute(1, 2, 0).contiguous().numpy()).reduce(step))
