"""A Ray runtime for the tests that need one, and images in all the places they can lie."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def cluster():
    """A runtime of this machine with two processors, whatever it has."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield ray
        ray.shutdown()


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """Four PNG files, one smaller than a crop and one with 16 bits."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = [folder / f"{name}.png" for name in ("a", "b #1?", "ü", "z")]
    for path, size in zip(paths[:3], ((300, 260), (64, 90), (230, 224)), strict=True):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    Image.fromarray(rng.integers(0, 65536, (240, 250), dtype=np.uint16)).save(paths[3])
    return paths
