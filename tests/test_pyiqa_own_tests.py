"""pyiqa's own test file, run for our metrics. Its weights come from a Hub on the loopback."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sriqa_metric as sriqa
from sriqa_metric.crops import CropPolicy
from sriqa_metric.registry import CATALOG
from tests.hub_server import Hub, Repo
from tests.random_weights import save_random

pytest.importorskip("pyiqa")


@pytest.fixture
def source(tmp_path) -> Path:
    """A copy of pyiqa's tests and of what they read, without pyiqa itself."""
    given = os.environ.get("PYIQA_SOURCE")
    if not given:
        pytest.skip("set PYIQA_SOURCE to the unpacked source distribution of pyiqa")
    for name in ("tests", "ResultsCalibra"):
        shutil.copytree(Path(given) / name, tmp_path / name)
    return tmp_path


def add_rows(results: Path, images: Path, weights: Path) -> None:
    """Add to pyiqa's table of official results what each metric gives without pyiqa."""
    with results.open("a", newline="") as stream:
        rows = csv.writer(stream)
        for name in CATALOG:
            metric = sriqa.load(name, weights / f"{name}.safetensors")
            rows.writerow([name, *metric.score(sorted(images.iterdir()))])


@pytest.mark.slow
def test_pyiqa_s_own_tests_pass_for_every_metric(source, tmp_path_factory):
    weights = tmp_path_factory.mktemp("weights")
    for name in CATALOG:
        save_random(name, weights, CropPolicy(number=3))
    add_rows(
        source / "ResultsCalibra/results_official.csv", source / "ResultsCalibra/dist_dir", weights
    )
    files = {path.name: path.read_bytes() for path in weights.iterdir()}
    with Hub({"lab/random": Repo(files)}) as hub:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "tests/test_metric_general.py", "-k", "sriqa", "-rA"],
            cwd=source,
            env=os.environ
            | {
                "HF_ENDPOINT": hub.url,
                "HF_HOME": str(tmp_path_factory.mktemp("hub")),
                "SRIQA_WEIGHTS_REPO": "lab/random",
            },
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in CATALOG:
        for test in ("match_official_with_given_cases", "gradient_backward", "forward"):
            assert f"PASSED tests/test_metric_general.py::test_{test}[{name}]" in done.stdout
