"""Make the picture of the README: the example images, each with its score.

python examples/score_picture.py docs/scores.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import sriqa_metric as sriqa

IMAGES = Path(__file__).parent / "images"
CONTENTS = ("astronaut", "chelsea", "coffee")
METHODS = {
    "bicubic": "bicubic",
    "dat_light_x4": "DAT-light",
    "realesrgan_x4plus": "Real-ESRGAN x4plus",
}
# A window that shows what the methods do, at one image pixel to one picture pixel.
WINDOWS = {"astronaut": (130, 20), "chelsea": (130, 60), "coffee": (110, 130)}
SIDE, GAP, LINE = 256, 8, 30


def main(target: Path) -> None:
    """Score the examples and draw them, methods side by side."""
    metric = sriqa.load("sriqa_lite")
    width = len(METHODS) * (SIDE + GAP) + GAP
    height = len(CONTENTS) * (SIDE + LINE + GAP) + GAP
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=17)
    for row, content in enumerate(CONTENTS):
        top = GAP + row * (SIDE + LINE + GAP)
        x, y = WINDOWS[content]
        for column, (method, label) in enumerate(METHODS.items()):
            path = IMAGES / f"{content}_{method}.png"
            left = GAP + column * (SIDE + GAP)
            with Image.open(path) as image:
                sheet.paste(image.crop((x, y, x + SIDE, y + SIDE)), (left, top))
            text = f"{label}  {metric.score(path):.2f}"
            draw.text((left + 2, top + SIDE + 4), text, fill="black", font=font)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target, quality=88)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
