"""Groups of 64 contents beside groups of one (ablation Model III), on made data.

12 methods with a planted ranking on 1,024 contents to train on, 64 to choose the state by and 256
to report. An image's features are a random mixture of its method's rank, its method's bias and
eight traits of its content; its score is 0.3 · rank + bias + a content's effect. Features and score
carry image noise of the given spread. In 8 epochs groups of one take 64 times as many steps as
groups of 64; a third way gives groups of 64 the 1,024 steps that 8 epochs are at the size of the
paper. Learning rate 1e-3 throughout. Mean ± standard deviation over seeds: each makes data, ranking
and bias anew, the same for every way.

    python benchmarks/group_size.py [SEEDS]

By default 5 seeds.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.statistics import image_pairs_right, method_srcc, pairs_right
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from sriqa_metric.models.rectifier import Rectifier

METHODS, WIDTH, TRAITS = 12, 64, 8
TRAIN, VALIDATION, TEST = 1024, 64, 256
NOISE = (2.0, 8.0, 32.0)
WAYS = {  # contents of a group, epochs, steps between validations
    "B = 64, 8 epochs (128 steps)": (64, 8, 10),
    "B = 64, 64 epochs (1,024 steps)": (64, 64, 80),
    "B = 1, 8 epochs (8,192 steps)": (1, 8, 640),
}
FIGURES = {"SRCC": method_srcc, "pairs right": pairs_right, "image pairs right": image_pairs_right}


class Reader:
    """A code is the score, then the features."""

    feature_dim = WIDTH
    crops_per_pass = 1

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (M, 1 + d) -> quality (M,), features (M, d)."""
        return codes[:, 0], codes[:, 1:]


def made_world(noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Codes (N, contents, 1 + d) and the planted ranking (N,)."""
    rng = np.random.default_rng(seed)
    mu, bias = rng.standard_normal((2, METHODS, 1))
    traits = rng.standard_normal((TRAIN + VALIDATION + TEST, TRAITS))
    mixture = rng.standard_normal((2 + TRAITS, WIDTH))
    features = (mu * mixture[0] + bias * mixture[1])[:, None] + traits @ mixture[2:]
    features += noise * rng.standard_normal(features.shape)
    score = 0.3 * mu + bias + traits[:, 0]
    score += noise * rng.standard_normal(score.shape)
    codes = np.concatenate([score[..., None], features / features.std()], axis=-1)
    return torch.from_numpy(codes).float(), torch.from_numpy(mu[:, 0] - mu.mean()).float()


def trained(codes: Tensor, mu: Tensor, way: tuple[int, int, int], seed: int) -> Rectifier:
    """A rectifier trained in one of WAYS."""
    contents, epochs, every = way
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rectifier = Rectifier(WIDTH)
    config = RectifierConfig(epochs=epochs, contents=contents, validate_every=every)
    data = StageTwoData(
        codes[:, :TRAIN].unsqueeze(2), mu, codes[:, TRAIN : TRAIN + VALIDATION].contiguous()
    )
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", {}) as run:
        train_rectifier(rectifier, Reader(), data, config, seed, run)
    return rectifier


@torch.no_grad()
def figures(rectifier: Rectifier, codes: Tensor, mu: Tensor) -> list[float]:
    """Each of FIGURES on the contents to report."""
    test = codes[:, TRAIN + VALIDATION :]
    scores = rectifier.calibrate(test[..., 0], test[..., 1:]).numpy()
    return [figure(scores, mu.numpy()) for figure in FIGURES.values()]


def main(seeds: int = 5) -> None:
    """Print a table, a line as it is ready."""
    torch.set_num_threads(1)
    print(f"{seeds} seeds, torch {torch.__version__}")
    print(f"noise  {'way':31}  " + "  ".join(f"{name:>17}" for name in FIGURES))
    for noise in NOISE:
        found: dict[str, list[list[float]]] = {}
        for seed in range(seeds):
            codes, mu = made_world(noise, seed)
            rectifiers = {"q_w alone": Rectifier(WIDTH).eval()}
            rectifiers |= {name: trained(codes, mu, way, seed) for name, way in WAYS.items()}
            for name, rectifier in rectifiers.items():
                found.setdefault(name, []).append(figures(rectifier, codes, mu))
        for name, values in found.items():
            cells = zip(np.mean(values, 0), np.std(values, 0, ddof=1), strict=True)
            row = "  ".join(f"{mean:9.3f} ± {deviation:.3f}" for mean, deviation in cells)
            print(f"{noise:5g}  {name:31}  {row}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
