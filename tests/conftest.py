"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import sriqa_metric as sriqa
from sriqa_metric.metric import CalibratedMetric

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "images"


os.environ.pop("SRIQA_WEIGHTS_REPO", None)  # tests mean the weights of the package


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scores of the user's cache are no scores of the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def lite() -> CalibratedMetric:
    """The bundled metric."""
    return sriqa.load("sriqa_lite")


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers in every test."""
    return np.random.default_rng(0)


@pytest.fixture
def picture(rng: np.random.Generator) -> torch.Tensor:
    """A smooth random picture (3, 300, 340), uint8."""
    coarse = torch.from_numpy(rng.random((1, 3, 30, 34), dtype=np.float32))
    fine = torch.nn.functional.interpolate(coarse, size=(300, 340), mode="bicubic")
    return (fine[0].clamp(0, 1) * 255).round().byte()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data beside the project, where there is one."""
    folder = Path(os.environ.get("SRIQA_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set SRIQA_TEST_DATA")
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `gpu` are skipped where there is no CUDA."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs CUDA")
