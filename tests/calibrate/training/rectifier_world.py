"""Stand-ins of the tests of stage 2: quality models, a folder in memory, and one training."""

import copy

import torch
from torch import nn

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.models.rectifier import Rectifier

METHODS, WIDTH = 6, 16


class Biased(nn.Module):
    """Reads quality from the first number of a code: true quality plus a bias by method."""

    feature_dim = WIDTH
    crops_per_pass = 5

    def read(self, codes):
        return codes[:, 0], codes


class Spy(Biased):
    """Remembers the codes of every reading."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def read(self, codes):
        self.seen.append(codes)
        return super().read(codes)


class Memory:
    """A folder that keeps everything as it is."""

    def __init__(self):
        self.losses, self.states = {}, {}

    def log(self, stage, step, losses):
        self.losses[step] = losses

    def save(self, stage, step, state):
        self.states[step] = copy.deepcopy(state)

    def resume(self, stage):
        return None


def train(data, folder=None, model=None, seed=0, **settings) -> Rectifier:
    torch.manual_seed(0)
    rectifier = Rectifier(WIDTH)
    config = RectifierConfig(**{"contents": 16, **settings})
    train_rectifier(rectifier, model or Biased(), data, config, seed, folder or Memory())
    return rectifier


def same(first, second) -> bool:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
