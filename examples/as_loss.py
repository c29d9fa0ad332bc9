"""The score as a loss: steps on the pixels of an image that raise its score.

    python examples/as_loss.py
    python examples/as_loss.py my.png --steps 50 --output raised.png

Gradients reach the pixels; the metric's own parameters collect none. In training, this is
`loss = fidelity - weight * metric(network(lr)).mean()`, with a small weight.

Optimising a metric is NOT improving an image. What the steps find is adversarial noise: the score
rises far while no person sees a better picture. Look at the picture that is written, and never
judge a network by the metric it was trained with.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import sriqa_metric as sriqa

IMAGES = Path(__file__).parent / "images"


def middle(image: Image.Image, size: int) -> Image.Image:
    """At most size×size pixels from the middle: the fewer crops, the faster the steps."""
    width, height = min(size, image.width), min(size, image.height)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path, nargs="?", default=IMAGES / "coffee_bicubic.png")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--lr", type=float, default=1 / 255, help="about the change of a step")
    parser.add_argument("--size", type=int, default=256, help="pixels from the middle")
    parser.add_argument("--output", type=Path, default=Path("raised.png"))
    args = parser.parse_args()

    metric = sriqa.load("sriqa_lite")
    start = np.array(middle(Image.open(args.image).convert("RGB"), args.size))
    pixels = torch.from_numpy(start).permute(2, 0, 1)[None] / 255  # (1, 3, H, W) in [0, 1]
    pixels.requires_grad_(True)
    optimizer = torch.optim.Adam([pixels], lr=args.lr)
    for step in range(args.steps):
        optimizer.zero_grad()
        loss = -metric(pixels).mean()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)  # the metric refuses values that no image has
        print(f"step {step}: score {-loss.item():.2f}")

    raised = (pixels.detach()[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(raised).save(args.output)
    error = np.mean((raised / 255 - start / 255) ** 2)
    print(f"score {metric.score(start):.2f} -> {metric.score(raised):.2f}")
    print(f"PSNR to the start {-10 * np.log10(error):.1f} dB; {args.output}")
    print("A higher score got this way is not a better image: look at it.")


if __name__ == "__main__":
    main()
