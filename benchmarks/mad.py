"""Seconds per content for DISTS between all pairs of N results, beside the loop over pairs.

The loop sends both images of each of the N(N − 1)/2 pairs through pyiqa's DISTS; here each image
goes through the network once. Random weights and pictures; both ways in turn, in one run.

    python benchmarks/mad.py [N] [SIDE] [CONTENTS]

By default 8 results of 128x128 for each of 3 contents. Needs pyiqa.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from types import SimpleNamespace
from unittest import mock

import pyiqa
import torch
import torchvision
from pyiqa.archs import dists_arch
from torch import Tensor, nn
from torchvision.models import vgg

from sriqa_metric.calibrate.selection.dists import Dists


def random_networks() -> tuple[nn.Module, Dists]:
    """pyiqa's DISTS, built without a download, and ours, with the same random weights."""
    torch.manual_seed(0)
    layers = vgg.make_layers(vgg.cfgs["D"])
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    network = SimpleNamespace(features=layers)
    with mock.patch.object(dists_arch.models, "vgg16", return_value=network):
        theirs = dists_arch.DISTS(pretrained=False).eval()
    state = {f"features.{name}": tensor for name, tensor in layers.state_dict().items()}
    return theirs, Dists(state, theirs.state_dict())


def random_results(n: int, side: int) -> list[Tensor]:
    """One picture, n times with other noise."""
    coarse = torch.rand(1, 3, side // 8, side // 8)
    picture = nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")[0]
    return [(picture + 0.05 * i * torch.randn(3, side, side)).clamp(0, 1) for i in range(n)]


@torch.inference_mode()
def over_pairs(network: nn.Module, images: list[Tensor]) -> Tensor:
    """The loop over pairs."""
    pairs = itertools.combinations(images, 2)
    return torch.cat([network(a[None], b[None]).flatten() for a, b in pairs])


def main(n: int = 8, side: int = 128, contents: int = 3) -> None:
    """Time both ways, and compare what they give."""
    theirs, ours = random_networks()
    seconds: dict[str, list[float]] = {"loop": [], "ours": []}
    difference = 0.0
    for warm_up in (True, *(False for _ in range(contents))):
        images = random_results(2 if warm_up else n, side)
        start = time.perf_counter()
        expected = over_pairs(theirs, images)
        middle = time.perf_counter()
        found = ours.pair_distances(images)
        end = time.perf_counter()
        difference = max(difference, (found - expected).abs().max().item())
        if not warm_up:
            seconds["loop"].append(middle - start)
            seconds["ours"].append(end - middle)
    print(
        f"{n} results of {side}x{side}, {contents} contents, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, "
        f"pyiqa {pyiqa.__version__}"
    )
    for name, values in seconds.items():
        print(f"{name}         {_spread(values)} s/content")
    ratios = [a / b for a, b in zip(seconds["loop"], seconds["ours"], strict=True)]
    print(f"loop / ours  {_spread(ratios)}, with N - 1 = {n - 1}")
    print(f"max |difference| {difference:.1e}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
