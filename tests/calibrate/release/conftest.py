"""Folders as finished runs leave them, of random weights that read one crop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sriqa_metric.calibrate.config import RunConfig
from sriqa_metric.calibrate.release.export import export
from sriqa_metric.crops import CropPolicy
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.weights.format import save_weights
from sriqa_metric.weights.load import load_source
from tests.random_weights import save_random

DATA = {
    "sr_results": "2 methods x 4",
    "methods": ["sharp", "dull"],
    "ranking": {"sharp": 1.0, "soft": 0.25, "dull": -1.25},
    "ranking_sha256": "1" * 64,
    "sr_sha256": "2" * 64,
    "koniq10k": {"images": 321, "sha256": "3" * 64, "mos_sha256": "4" * 64},
}
FIGURES = {"calibrated": {"srcc": 0.75, "unseen_pairs": 0.625}, "quality model": {"srcc": 0.5}}


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    """A quality model, as a weights file in float16."""
    return save_random("sriqa_lite", tmp_path_factory.mktemp("base"), CropPolicy(number=1))


@pytest.fixture(scope="session")
def make_run(base) -> Callable[..., Path]:
    """Makes a finished stage 2; the larger the spread, the more float16 changes its scores."""

    def make(folder: Path, spread: float = 1e-2, base: Path = base) -> Path:
        folder.mkdir()
        metric = load_source(str(base))
        with torch.random.fork_rng():
            torch.manual_seed(1)
            rectifier = Rectifier(metric.quality_model.feature_dim)
            torch.nn.init.normal_(rectifier.out.weight, std=spread)
        state = {name: tensor.clone() for name, tensor in rectifier.state_dict().items()}
        torch.save({"step": 7, "state": {"best_state": state}}, folder / "rectifier.checkpoint")
        config = RunConfig(metric.name, base=str(base)).to_dict()
        report = {
            "metric": metric.name,
            "base": metric.weights_id,
            "held_contents": ["c1", "c5"],
            "held_methods": ["soft"],
            "figures": FIGURES,
        }
        for name, content in (("config", config), ("report", report)):
            (folder / f"{name}.json").write_text(json.dumps(content))
        calibrated = CalibratedMetric(metric.name, metric.quality_model, rectifier, metric.policy)
        record = {
            "training_data": DATA,
            "settings": {key: value for key, value in config.items() if key != "data"},
            "base": {"weights": metric.weights_id},
        }
        save_weights(folder / "weights.safetensors", calibrated, record)
        return folder

    return make


@pytest.fixture(scope="session")
def run(make_run, tmp_path_factory) -> Path:
    """A finished stage 2 whose scores float16 hardly changes."""
    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def coarse(make_run, tmp_path_factory) -> Path:
    """A finished stage 2 whose scores float16 changes."""
    return make_run(tmp_path_factory.mktemp("runs") / "coarse", spread=30.0)


@pytest.fixture(scope="session")
def figures(run, made_data, tmp_path_factory) -> Path:
    """What `evaluate` says of the run's weights and of its quality model."""
    from sriqa_metric.calibrate.evaluation.report import write_report
    from sriqa_metric.calibrate.evaluation.run import Request, evaluate

    folder = tmp_path_factory.mktemp("evaluation")
    weights = str(run / "weights.safetensors")
    sets = (f"ranked={made_data / 'sr'}",)
    request = Request((weights, f"{weights}:uncalibrated"), sets, folder / "cache", resamples=20)
    path = folder / "figures.json"
    with path.open("w", encoding="utf-8") as stream:
        write_report(*evaluate(request), "json", stream)
    return path


@pytest.fixture(scope="session")
def exported(run, figures, tmp_path_factory) -> Path:
    """The run's final file, with figures."""
    path = tmp_path_factory.mktemp("exported") / "final.safetensors"
    export(run, path, "CC-BY-4.0", [figures])
    return path
