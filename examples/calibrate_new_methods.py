"""Calibrate sriqa_lite for methods of your own, and score with the weights that come out.

    python examples/calibrate_new_methods.py
    python examples/calibrate_new_methods.py --sr DIR --ranking ranking.csv --output mine

DIR/<method>/<content>.png are results, of SR or any other restoration; ranking.csv has the columns
method,mu, as `sriqa-calibrate rank` writes it from people's votes. It is what
`sriqa-calibrate adapt` does; pip install 'sriqa-metric[calibrate]'.

Without arguments this is a DEMONSTRATION: the methods are Pillow's filters on crops of three
pictures, and the ranking is invented. It shows the way, and its weights are good for nothing.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path

import torch
from PIL import Image, ImageFilter

import sriqa_metric as sriqa
from sriqa_metric.calibrate.data.sr_results import read_ranking
from sriqa_metric.calibrate.pipelines import adapted
from sriqa_metric.calibrate.training.runs import train
from sriqa_metric.compare import compare
from sriqa_metric.errors import SriqaError

IMAGES = Path(__file__).parent / "images"
SIDE = 224  # what one crop reads
# Best first, by nobody's votes: as if people liked sharp results, but no halos.
FILTERS = {
    "sharpened": ImageFilter.UnsharpMask(radius=1, percent=80),
    "bicubic": ImageFilter.UnsharpMask(percent=0),
    "halos": ImageFilter.UnsharpMask(radius=3, percent=400),
}


def make_demonstration(folder: Path) -> tuple[Path, Path]:
    """Halve 18 crops, enlarge them, sharpen them differently; return results and a ranking."""
    for path in sorted(IMAGES.glob("*_realesrgan_x4plus.png")):
        content = path.stem.partition("_")[0]
        picture = Image.open(path).convert("RGB")
        for left, top in product((0, 144, 288), (0, 288)):
            crop = picture.crop((left, top, left + SIDE, top + SIDE))
            result = crop.reduce(2).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            for method, sharpening in FILTERS.items():
                target = folder / "sr" / method / f"{content}-{left}-{top}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                result.filter(sharpening).save(target)
    ranking = folder / "ranking.csv"
    lines = [f"{method},{-place}" for place, method in enumerate(FILTERS)]
    ranking.write_text("\n".join(["method,mu", *lines, ""]), encoding="utf-8")
    return folder / "sr", ranking


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sr", type=Path, help="DIR/<method>/<content>.png")
    parser.add_argument("--ranking", type=Path, help="CSV file method,mu")
    parser.add_argument("--output", type=Path, default=Path("recalibrated"), help="a new folder")
    args = parser.parse_args()
    if (args.sr is None) != (args.ranking is None):
        parser.error("--sr and --ranking go together")
    sr, ranking = args.sr, args.ranking
    if sr is None:
        print("a demonstration: filters for methods, and an invented ranking")
        sr, ranking = make_demonstration(args.output / "demonstration")

    run = args.output / "run"
    config = adapted("sriqa_lite", sr, ranking, photos=None)
    figures = train(config, run, torch.device("cpu"))
    for variant, found in figures.items():  # on the contents that were held out
        print(f"{variant}: {found['image_pairs']:.0%} of held-out image pairs as ranked")

    weights = run / "weights.safetensors"
    methods = [sr / method for method in read_ranking(ranking)]
    for metric in (sriqa.load("sriqa_lite"), sriqa.load("sriqa_lite", weights=weights)):
        means = [f"{m.name} {m.mean:.2f}" for m in compare(methods, metric).each[0].best_first]
        print(f"{metric.weights_id}: {', '.join(means)}")
    print(f"sriqa-score results/ --weights {weights}")


if __name__ == "__main__":
    try:
        main()
    except SriqaError as error:
        sys.exit(str(error))
