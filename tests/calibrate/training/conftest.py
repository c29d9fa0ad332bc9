"""Labelled sets, SR results and run folders for tests of both stages."""

import pytest
import torch

from sriqa_metric.calibrate.data.distortions import VERSIONS
from sriqa_metric.calibrate.data.sr_results import read_sr_results
from sriqa_metric.calibrate.training.crop_batches import Sources
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from tests.calibrate.planted import planted
from tests.calibrate.training.rectifier_world import METHODS, WIDTH


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    return [planted(folder, "one", 11), planted(folder, "two", 6, side=240)]


@pytest.fixture(scope="module")
def validation(tmp_path_factory):
    return Sources((planted(tmp_path_factory.mktemp("validation"), "held", 8, side=224),))


@pytest.fixture(scope="module")
def sr(made_data):
    return read_sr_results(made_data / "sr", made_data / "sr" / "ranking.csv")


@pytest.fixture
def folder(tmp_path):
    with RunFolder(tmp_path / "run", {}) as opened:
        yield opened


@pytest.fixture
def world():
    """Codes (METHODS, 40, WIDTH): quality with the wrong order of methods, and what tells them."""
    generator = torch.Generator().manual_seed(0)
    mu = torch.linspace(1, -1, METHODS)
    codes = torch.randn(METHODS, 40, WIDTH, generator=generator) * 0.3
    codes[..., 0] += mu[[3, 5, 1, 0, 4, 2], None]  # planted bias
    codes[..., 1] += 2 * mu[:, None]
    ladders = torch.zeros(20, VERSIONS, WIDTH)
    ladders[..., 0] = torch.linspace(1, -1, VERSIONS)
    return StageTwoData(codes[:, :30].unsqueeze(2), mu, codes[:, 30:], ladders=ladders)


@pytest.fixture
def drawn():
    """Two labelled sets and K = 2 draws; the content and the version can be told from a code."""
    generator = torch.Generator().manual_seed(0)
    results = torch.randn(3, 11, 3, WIDTH, generator=generator)
    results[..., 2] = torch.arange(11.0)[:, None]
    results[..., 3] = torch.arange(3.0)
    labelled = tuple(
        (torch.randn(m, k, WIDTH, generator=generator), torch.arange(m) // 2)
        for m, k in ((9, 3), (7, 1))
    )
    held_out = torch.randn(3, 4, WIDTH, generator=generator)
    ladders = torch.randn(5, VERSIONS, WIDTH, generator=generator)
    return StageTwoData(results, torch.tensor([1.0, 0.0, 0.0]), held_out, labelled, ladders)
