"""Results to try `sriqa-compare` with: two data sets, three methods, and their ground truth.

    python examples/make_results.py results

From the pictures in `images/`, which serve as ground truth here: reduced to a quarter of their
sides, and enlarged again by three filters of Pillow. `photos` has the pictures, `tiles` pieces.

    results/GT/photos/coffee.png      results/lanczos/photos/coffee_x4.png      ...
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).parent / "images"
METHODS = {
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SCALE = 4
TILE = 256


def data_sets() -> dict[str, dict[str, Image.Image]]:
    """Data set -> content -> ground truth."""
    photos, tiles = {}, {}
    for path in sorted(IMAGES.glob("*_dat_light_x4.png")):
        name = path.name.partition("_")[0]
        photos[name] = Image.open(path).convert("RGB")
        width, height = (side // TILE for side in photos[name].size)
        for row in range(height):
            for column in range(width):
                left, top = column * TILE, row * TILE
                piece = photos[name].crop((left, top, left + TILE, top + TILE))
                tiles[f"{name}{row}{column}"] = piece
    return {"photos": photos, "tiles": tiles}


def main() -> None:
    """Write all images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for data_set, images in data_sets().items():
        for place in ("GT", *METHODS):
            (folder / place / data_set).mkdir(parents=True, exist_ok=True)
        for content, image in images.items():
            image.save(folder / "GT" / data_set / f"{content}.png")
            small = image.reduce(SCALE)
            for method, resample in METHODS.items():
                result = small.resize(image.size, resample)
                result.save(folder / method / data_set / f"{content}_x{SCALE}.png")
    print(f"{folder}: {', '.join(METHODS)} and GT, each with {', '.join(data_sets())}")


if __name__ == "__main__":
    main()
