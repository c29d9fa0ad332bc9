"""A step of stage 2 on cached codes beside the same step with q_w run on the images.

sriqa_clip with random weights; N methods on B contents and one labelled set of B images, each image
read by a number of crops. Both ways take the same steps of the same training (forward, losses,
backward, optimizer); one gathers codes from memory, the other encodes crops that lie decoded in
memory, without gradients. Dropout is off, because its random numbers would differ. Milliseconds are
medians (lowest-highest) of steps in turn, after a first step of each.

    python benchmarks/cached_step.py [N B CROPS] [cuda]

By default 4 methods, 4 contents and 3 crops, for which a CPU needs seconds; the paper's step is
12 64 3, whose crops take 1.5 GB. Needs the extra `clip`.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
from torch import Tensor, nn

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.training.rectifier import _Training
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from sriqa_metric.models.clip import ClipQualityModel
from sriqa_metric.models.rectifier import Rectifier

STEPS = 5
CROP = (3, 224, 224)


class FromImages(nn.Module):
    """Reads the crops of images, flat, where another model reads their codes."""

    feature_dim = ClipQualityModel.feature_dim

    def __init__(self, model: ClipQualityModel, crops: int, crops_per_pass: int) -> None:
        super().__init__()
        self.model, self.crops, self.crops_per_pass = model, crops, crops_per_pass

    def codes(self, images: Tensor) -> Tensor:
        """Crops of images (M, crops · 3 · 224 · 224) -> codes (M, C)."""
        passes = images.reshape(-1, *CROP).split(self.crops_per_pass)
        codes = torch.cat([self.model.encode(crops) for crops in passes])
        return codes.unflatten(0, (-1, self.crops)).mean(1)

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Quality (M,) and features (M, d)."""
        return self.model.read(self.codes(images))


def random_clip(device: str) -> ClipQualityModel:
    """Random weights and texts, CLIP's own logit scale."""
    model = ClipQualityModel().requires_grad_(False).eval()
    nn.init.normal_(model.text)
    model.logit_scale.fill_(4.6052)
    return model.to(device)


@torch.no_grad()
def cached(model: FromImages, images: Tensor, device: str) -> Tensor:
    """Codes of images (..., crops · 3 · 224 · 224), on the CPU."""
    flat = images.flatten(0, -2).split(1)
    return torch.cat([model.codes(x.to(device)).cpu() for x in flat]).view(*images.shape[:-1], -1)


def main(methods: int, contents: int, crops: int, device: str) -> None:
    """Take the steps of both ways in turn, and print what they needed."""
    torch.manual_seed(0)
    clip = random_clip(device)
    images = FromImages(clip, crops, 256 if device == "cuda" else clip.crops_per_pass)
    size = crops * 3 * 224 * 224
    results, labelled = torch.rand(methods, contents, 1, size), torch.rand(contents, 1, size)
    mu, mos = torch.linspace(1, -1, methods), torch.rand(contents)
    ways = {
        "images": (images, results, labelled),
        "cache": (clip, *(cached(images, x, device) for x in (results, labelled))),
    }
    config = RectifierConfig(contents=contents, labelled_batch=contents)
    start = Rectifier(clip.feature_dim).state_dict()
    trainings = {}
    for name, (model, codes, labels) in ways.items():
        rectifier = Rectifier(clip.feature_dim).to(device)
        rectifier.load_state_dict(start)
        rectifier.dropout.p = 0.0
        data = StageTwoData(codes, mu, codes[:, :1, 0], ((labels, mos),))
        trainings[name] = _Training(rectifier, model, data, config, 0, name)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    differences = []
    for step in range(1, STEPS + 2):
        losses = []
        for name, training in trainings.items():
            begin = time.perf_counter()
            losses.append(training.step(step))  # ends by reading the losses off the device
            seconds[name].append(time.perf_counter() - begin)
        differences.append(max(abs(losses[0][part] - losses[1][part]) for part in losses[0]))
    where = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"{methods} methods x {contents} contents, {crops} crops")
    print(f"{where}, torch {torch.__version__}")
    for name, times in seconds.items():
        print(f"{name:8} {_spread([1000 * x for x in times[1:]])} ms a step")
    ratios = [a / b for a, b in zip(seconds["images"], seconds["cache"], strict=True)]
    print(f"images / cache {_spread(ratios[1:])}")
    print(f"largest difference of a loss: step 1 {differences[0]:.1e}, all {max(differences):.1e}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "cuda"]
    sizes = map(int, words or ["4", "4", "3"])
    main(*sizes, "cuda" if "cuda" in sys.argv else "cpu")
