"""Stage 2 on CUDA: near the same training on the CPU, and the same bits after a stop."""

import pytest
import torch

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from sriqa_metric.models.rectifier import Rectifier

pytestmark = pytest.mark.gpu
WIDTH = 32


class Reader:
    """Reads quality from the first number of a code."""

    feature_dim = WIDTH
    crops_per_pass = 5

    def read(self, codes):
        return codes[:, 0], codes


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    mu = torch.linspace(1, -1, 5)
    results = torch.randn(5, 40, 3, WIDTH, generator=generator)
    results[..., 1] += mu[:, None, None]
    mos = torch.rand(50, generator=generator)
    labelled = ((torch.randn(50, 3, WIDTH, generator=generator), mos),)
    ladders = torch.randn(9, 8, WIDTH, generator=generator)
    return StageTwoData(results[:, :30], mu, results[:, 30:, 0], labelled, ladders)


def train(data, folder, device, dropout=0.1):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rectifier = Rectifier(WIDTH).to(device)
    rectifier.dropout.p = dropout
    config = RectifierConfig(epochs=6, contents=10, labelled_batch=20, validate_every=4, ladders=8)
    train_rectifier(rectifier, Reader(), data, config, 0, folder)
    return rectifier


def test_training_is_near_that_on_the_cpu(data, tmp_path):
    """Without dropout, whose random numbers are the device's own."""
    ends = []
    for device in ("cpu", "cuda"):
        with RunFolder(tmp_path / device, {}) as folder:
            ends.append(train(data, folder, device, dropout=0.0).cpu())
    for a, b in zip(*(end.parameters() for end in ends), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


class Stopping(RunFolder):
    """Stops before its third checkpoint is written."""

    left = 2

    def save(self, stage, step, state):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        super().save(stage, step, state)


def test_stopped_training_ends_at_the_same_bits(data, tmp_path):
    torch.cuda.manual_seed(1)
    before = torch.cuda.get_rng_state()
    with RunFolder(tmp_path / "whole", {}) as folder:
        whole = train(data, folder, "cuda")
    with pytest.raises(KeyboardInterrupt), Stopping(tmp_path / "stopped", {}) as folder:
        train(data, folder, "cuda")
    with RunFolder(tmp_path / "stopped", {}) as folder:
        again = train(data, folder, "cuda")
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(torch.cuda.get_rng_state(), before)
