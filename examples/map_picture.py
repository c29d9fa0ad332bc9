"""Blur one half of the example images and draw where their quality drops: docs/map.jpg.

python examples/map_picture.py OUTPUT.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageFilter

import sriqa_metric as sriqa
from sriqa_metric.map_picture import draw_map

IMAGES = Path(__file__).parent / "images"
CONTENTS = ("chelsea", "coffee", "astronaut", "coffee", "astronaut", "chelsea")


def main(output: Path) -> None:
    """Six results of Real-ESRGAN side by side, the right half of the whole blurred."""
    tiles = [Image.open(IMAGES / f"{content}_realesrgan_x4plus.png") for content in CONTENTS]
    width, height = tiles[0].size
    picture = Image.new("RGB", (3 * width, 2 * height))
    for index, tile in enumerate(tiles):
        picture.paste(tile, (index % 3 * width, index // 3 * height))
    right = (picture.width // 2, 0, picture.width, picture.height)
    picture.paste(picture.crop(right).filter(ImageFilter.GaussianBlur(6)), right)
    draw_map(sriqa.load().quality_map(picture), picture, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
