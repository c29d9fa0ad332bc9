"""Made labelled images with an order to learn, and a quality model small enough to learn it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from sriqa_metric.calibrate.config import LabelsConfig
from sriqa_metric.calibrate.data.mos_sets import LabelledImages
from sriqa_metric.calibrate.data.sr_results import SRResults
from sriqa_metric.calibrate.training.crop_batches import Batch, CropBatches, Sources
from sriqa_metric.calibrate.training.label_steps import LabelTraining

SMALL = LabelsConfig(epochs=2, batch=4, crops=2, lr=1e-2, precision="fp32")


class TinyQualityModel(nn.Module):
    """Mean of eight convolved maps, then a linear score; dropout makes its training random.

    That of what encodes makes it depend on the crops beside an image, that of what reads does not.
    """

    feature_dim = 8
    crops_per_pass = 15

    def __init__(self, dropout: float = 0.1, read_dropout: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 8, 8)
        self.dropout, self.read_dropout = nn.Dropout(dropout), nn.Dropout(read_dropout)
        self.out = nn.Linear(8, 1, bias=False)  # no pair of scores tells of a bias

    def encode(self, crops: Tensor) -> Tensor:
        return self.dropout(self.conv(crops - 0.5).relu().mean((2, 3)))

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        return self.out(self.read_dropout(codes)).squeeze(-1), codes


def tiny(dropout: float = 0.1, read_dropout: float = 0.0) -> TinyQualityModel:
    """The same weights in every call, frozen as they come from a file."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TinyQualityModel(dropout, read_dropout).requires_grad_(False).eval()


def planted(folder: Path, name: str, number: int, side: int = 228) -> LabelledImages:
    """Images whose MOS, in a unit of its own, is the higher the brighter they are."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([number, side, len(name)])
    mos = rng.permutation(np.linspace(0.2, 0.8, number))
    paths = []
    for index, value in enumerate(mos):
        coarse = np.clip(rng.normal(value, 0.1, (8, 8, 3)), 0, 1)
        picture = Image.fromarray((coarse * 255).astype(np.uint8)).resize((side, side))
        paths.append(folder / name / f"{index}.bmp")
        picture.save(paths[-1])
    contents = tuple(str(index) for index in range(number))
    return LabelledImages(name, tuple(paths), 100 * mos, contents)


def batch_of(batches: CropBatches, step: int = 1) -> Batch:
    """The batch of one step."""
    return next(batches.stream(range(step, step + 1), workers=1))


def training_of(
    sets: Sequence[LabelledImages],
    config: LabelsConfig = SMALL,
    model: nn.Module | None = None,
    sr: SRResults | None = None,
    photos: tuple[Path, ...] = (),
) -> tuple[LabelTraining, Batch]:
    """A training before its first step, and the batch of that step."""
    batches = CropBatches(Sources(tuple(sets), sr, photos), config, 0, 224)
    model = model or tiny(dropout=0)
    return LabelTraining(model, batches, config, torch.device("cpu"), None, "labels"), batch_of(
        batches
    )
