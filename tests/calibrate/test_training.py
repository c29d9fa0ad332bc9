"""The rectifier learns what a biased quality model hides, and starts from that model."""

import pytest
import torch
from torch import nn

from sriqa_metric.calibrate.agreement import pairs_right
from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.training import train_rectifier
from sriqa_metric.errors import SriqaError
from sriqa_metric.rectifier import Rectifier

METHODS, WIDTH = 6, 16


class Biased(nn.Module):
    """Reads quality from the first number of a code: true quality plus a bias by method."""

    feature_dim = WIDTH
    crops_per_pass = 5

    def read(self, codes):
        return codes[:, 0], codes


@pytest.fixture
def world():
    """Codes (METHODS, 40, WIDTH): quality with the wrong order of methods, and what tells them."""
    generator = torch.Generator().manual_seed(0)
    mu = torch.linspace(1, -1, METHODS)
    codes = torch.randn(METHODS, 40, WIDTH, generator=generator) * 0.3
    codes[..., 0] += mu[[3, 5, 1, 0, 4, 2], None]  # planted bias
    codes[..., 1] += 2 * mu[:, None]
    ladders = torch.zeros(20, 3, WIDTH)
    ladders[..., 0] = torch.tensor([1.0, 0.0, -1.0])
    return codes, mu, ladders


def ignore(stage, step, losses):
    pass


def train(world, **settings) -> Rectifier:
    codes, mu, ladders = world
    torch.manual_seed(0)
    rectifier = Rectifier(WIDTH)
    config = RectifierConfig(contents=16, **settings)
    train_rectifier(
        rectifier, Biased(), codes[:, :30], mu, ladders, codes[:, 30:], config, 0, ignore
    )
    return rectifier


def means(rectifier, codes):
    with torch.no_grad():
        return rectifier.calibrate(codes[..., 0], codes).mean(1)


def test_planted_ranking_is_recovered_on_held_out_contents(world):
    codes, mu, _ = world

    def right(rectifier):
        with torch.no_grad():
            scores = rectifier.calibrate(codes[:, 30:, 0], codes[:, 30:])
        return pairs_right(scores.numpy(), mu.numpy())

    assert right(Rectifier(WIDTH).eval()) < 0.6
    assert right(train(world, steps=200, lr=3e-3)) > 0.9


def test_no_steps_leave_the_quality_model_as_it_is(world):
    codes, _, _ = world
    assert torch.allclose(means(train(world, steps=0), codes), codes[..., 0].mean(1))


def test_trained_rectifier_is_frozen_and_repeatable(world):
    first, second = (train(world, steps=40) for _ in range(2))
    assert not first.training
    assert not any(parameter.requires_grad for parameter in first.parameters())
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_leaves_the_random_state_of_its_caller(world):
    torch.manual_seed(7)
    expected = torch.rand(1)
    codes, mu, ladders = world
    rectifier = Rectifier(WIDTH)
    torch.manual_seed(7)
    config = RectifierConfig(steps=3, contents=4)
    train_rectifier(rectifier, Biased(), codes, mu, ladders, codes, config, 0, ignore)
    assert torch.equal(torch.rand(1), expected)


def test_a_loss_that_is_not_finite_stops_with_its_step(world):
    codes, mu, ladders = world
    codes[:, :, 0] = torch.nan
    with pytest.raises(SriqaError, match="the loss of step 1 is nan"):
        train((codes, mu, ladders), steps=5)
