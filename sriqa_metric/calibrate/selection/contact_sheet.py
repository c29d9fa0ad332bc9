"""A picture of some selected image pairs, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...errors import SriqaError
from ...files import replaced
from ..data.image_pairs import Pair
from ..data.sr_results import pixels

ROWS = 8
_SIDE = 256  # of a picture
_GAP = 8
_LINE = 20
_STEP = 32


def draw_sheet(path: Path, selected: Sequence[Pair], root: Path, rows: int = ROWS) -> None:
    """Draw rows of LR input, result a and result b.

    Each row is the first image pair of one group of a method pair; they are spread evenly over
    `selected`. Of results larger than 256×256 pixels the window is shown where the two differ
    most, at native resolution. The LR input is enlarged (bicubic) to the size of the results.

    Parameters
    ----------
    path : Path
        Picture to write; its ending says the format.
    selected : sequence of Pair
        As `select_pairs` gives them.
    root : Path
        Folder that their paths are relative to.
    rows : int
        The most rows.

    Raises
    ------
    SriqaError
        If an image cannot be read, or the picture cannot be written.
    """
    shown = _spread(selected, rows)
    font = ImageFont.load_default(13)
    height = _SIDE + 2 * _LINE + _GAP
    sheet = Image.new("RGB", (3 * _SIDE + 4 * _GAP, height * len(shown) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for number, pair in enumerate(shown):
        top = _GAP + number * height
        about = f"{pair.group} {pair.k}:  D1 {float(pair.d1):.4f},  D2 {float(pair.d2):.4f}"
        titles = (f"{pair.content}, LR enlarged", f"a: {pair.method_a}", f"b: {pair.method_b}")
        draw.text((_GAP, top), about, "black", font)
        for column, (title, image) in enumerate(zip(titles, _pictures(pair, root), strict=True)):
            left = _GAP + column * (_SIDE + _GAP)
            draw.text((left, top + _LINE), _fit(title, font), "black", font)
            sheet.paste(image, (left, top + 2 * _LINE))
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise SriqaError(
            f"{path}: cannot be written: no picture's name ends with {path.suffix!r}; use .png"
        )
    with replaced(path) as partial:
        sheet.save(partial, kind)


def _spread(selected: Sequence[Pair], rows: int) -> list[Pair]:
    """The first pair of every method pair and group; evenly spread ones where they are many."""
    first: dict[tuple[str, str, str], Pair] = {}
    for pair in selected:
        first.setdefault((pair.method_a, pair.method_b, pair.group), pair)
    pairs = list(first.values())
    places = np.linspace(0, len(pairs) - 1, min(rows, len(pairs))).round().astype(int)
    return [pairs[place] for place in places]


def _pictures(pair: Pair, root: Path) -> list[Image.Image]:
    """LR input, result a and result b, the same window of each."""
    a, b = (pixels(root / path) for path in (pair.image_a, pair.image_b))
    height, width = a.shape[:2]
    lr = Image.fromarray(pixels(root / pair.image_lr))
    enlarged = lr.resize((width, height), Image.Resampling.BICUBIC)
    difference = np.abs(a.astype(np.int16) - b).mean(2)
    corners = [
        (top, left)
        for top in range(0, max(height - _SIDE, 0) + 1, _STEP)
        for left in range(0, max(width - _SIDE, 0) + 1, _STEP)
    ]
    top, left = max(corners, key=lambda c: difference[_window(*c)].mean())
    return [Image.fromarray(np.asarray(x)[_window(top, left)]) for x in (enlarged, a, b)]


def _window(top: int, left: int) -> tuple[slice, slice]:
    return slice(top, top + _SIDE), slice(left, left + _SIDE)


def _fit(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, cut to the width of a picture."""
    if font.getlength(text) <= _SIDE:
        return text
    while text and font.getlength(text + "…") > _SIDE:
        text = text[:-1]
    return text + "…"
