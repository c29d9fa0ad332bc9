"""A quality model of one matrix and pictures of a few pixels, for tests of cached codes."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from sriqa_metric.crops import CropPolicy
from sriqa_metric.metric import CalibratedMetric

SIZE, WIDTH = 16, 5
POLICY = CropPolicy(size=SIZE, number=4, stride=8, wide_stride=12, wide=64)


class TinyModel(nn.Module):
    """A linear encoder; `company` adds what it gets of the other crops of a batch."""

    feature_dim = WIDTH
    crops_per_pass = 7

    def __init__(self, company: float = 0.0):
        super().__init__()
        self.company = company
        self.calls: list[int] = []
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(3 * SIZE * SIZE, WIDTH, generator=generator)
        self.weight = nn.Parameter(weight / 3 / SIZE**2)

    def encode(self, crops):
        self.calls.append(len(crops))
        codes = crops.flatten(1) @ self.weight
        return codes + self.company * codes.mean(0)

    def read(self, codes):
        return codes.sum(1), codes


def tiny_metric(company: float = 0.0, policy: CropPolicy = POLICY, weights_id: str = "sha256:1"):
    return CalibratedMetric("tiny", TinyModel(company), None, policy, weights_id)


def make_images(folder: Path, count: int) -> list[Path]:
    """Small pictures of many shapes, some with a side below the window."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for index in range(count):
        shape = (int(rng.integers(9, 70)), int(rng.integers(9, 70)), 3)
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03}.png")
    return sorted(folder.iterdir())


def shard_files(store):
    return {path.name: path.read_bytes() for path in store.folder.glob("*.safetensors")}
