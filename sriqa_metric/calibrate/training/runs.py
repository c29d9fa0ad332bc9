"""Stage 2 as a run: a rectifier for a base metric's quality model, on cached codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import SriqaError
from ...metric import CalibratedMetric
from ...models.rectifier import Rectifier
from ...weights.format import save_weights
from ...weights.load import load_source
from ..config import RunConfig
from ..data.splits import Data, read_data, record
from ..features.codes import Codes
from ..features.processes import require_alone
from ..features.store import FeatureStore
from .code_batches import order_codes
from .inputs import run_inputs
from .rectifier import train_rectifier
from .report import write_run_report
from .run_folder import RunFolder
from .stage_two_data import StageTwoData
from .validation import HeldOut, label_figures

_LADDERS = 500  # of photos, and as many of SR results


def train(config: RunConfig, output: Path, device: torch.device) -> dict[str, dict[str, float]]:
    """Calibrate a metric: train its rectifier, measure it on what was held out, write its weights.

    A run that was stopped goes on where it was, and ends as it would have without the stop.

    Parameters
    ----------
    config : RunConfig
    output : Path
        Folder of the run: new, or that of a stopped run with the same settings.
    device : torch.device

    Returns
    -------
    dict
        `quality model` and `calibrated`, each with named figures, as in `report.json`.

    Raises
    ------
    SriqaError
        For settings, data or a folder that cannot be used, for a loss that is not finite, and in
        one of several processes: a step is too short to be shared.
    """
    require_alone("stage 2")
    metric = base_metric(config, device)
    data = read_data(config)
    inputs = run_inputs(config, data, metric.weights_id)
    with RunFolder(output, config.to_dict(), inputs) as folder:
        store = feature_store(
            config, metric, Path(config.data.features or folder.path / "features")
        )
        evaluation = HeldOut(metric, data, config.seed)
        stage_two = stage_two_data(config, metric, data, store, evaluation)
        rectifier = _rectifier(config, metric)
        train_rectifier(
            rectifier, metric.quality_model, stage_two, config.rectifier, config.seed, folder
        )
        calibrated = CalibratedMetric(
            metric.name, metric.quality_model, rectifier, metric.policy
        ).to(device)
        figures = {
            name: evaluation.figures(each)
            | label_figures(each, data, lambda paths: store.codes(paths)[:, 0])
            for name, each in (("quality model", metric), ("calibrated", calibrated))
        }
        settings = {key: value for key, value in config.to_dict().items() if key != "data"}
        described: dict[str, Any] = {"training_data": record(config, data), "settings": settings}
        described["base"] = {"weights": metric.weights_id}
        save_weights(output / "weights.safetensors", calibrated, described)
        write_run_report(folder, config, data, metric.weights_id, figures, evaluation.notes)
    return figures


def base_metric(config: RunConfig, device: torch.device) -> CalibratedMetric:
    """What a run calibrates, without its rectifier.

    Raises
    ------
    SriqaError
        If there is no such metric or file, or it is of another metric than the run.
    """
    if not config.base:
        raise SriqaError("base is not set; add --base FILE, or the name of a metric")
    metric = load_source(config.base, device)
    metric.rectifier = None
    if metric.name != config.metric:
        raise SriqaError(f"base: {config.base} is {metric.name}, not {config.metric}")
    return metric


def feature_store(
    config: RunConfig, metric: CalibratedMetric, place: Path, batch_size: int | None = None
) -> FeatureStore:
    """The cached codes that a run with these settings reads."""
    draws, seed = config.rectifier.draws, config.seed
    return FeatureStore(place, metric, draws, seed=seed, batch_size=batch_size)


def cached_images(data: Data) -> list[Path]:
    """Every image whose code a run looks up in the store."""
    sets = [*data.labelled_training, *data.labelled_validation]
    return [*_result_files(data), *(path for labelled in sets for path in labelled.paths)]


def _result_files(data: Data) -> list[Path]:
    """SR results that are trained on, method by method."""
    return [path for method in data.train.methods for path in data.train.images(method)]


def _result_codes(store: FeatureStore, data: Data) -> Codes:
    """Codes of the SR results that are trained on, (N, n, 1 + K, C)."""
    codes = store.codes(_result_files(data))
    return codes.view(len(data.train.methods), len(data.train.contents), -1)


def stage_two_data(
    config: RunConfig,
    metric: CalibratedMetric,
    data: Data,
    store: FeatureStore,
    evaluation: HeldOut,
) -> StageTwoData:
    """The codes that a rectifier is trained on."""
    trained = [data.full.methods.index(name) for name in data.train.methods]
    return StageTwoData(
        results=_result_codes(store, data),
        mu=torch.as_tensor(data.train.mu, dtype=torch.float32),
        held_out=evaluation.results[trained],
        labelled=tuple(
            (store.codes(labelled.paths), torch.as_tensor(labelled.mos, dtype=torch.float32))
            for labelled in data.labelled_training
        ),
        ladders=_ladder_codes(config, metric, data) if config.rectifier.ladders else None,
    )


def _ladder_codes(config: RunConfig, metric: CalibratedMetric, data: Data) -> Tensor:
    """Certain orders of photos, where there are any, and of SR results."""
    generator = torch.Generator().manual_seed(config.seed)
    pools: list[tuple[Sequence[Path], bool]] = [(data.photos, False)] if data.photos else []
    found = []
    for pool, on_sr in [*pools, (_result_files(data), True)]:
        order = torch.randperm(len(pool), generator=generator)[:_LADDERS].tolist()
        found.append(order_codes(metric, [pool[i] for i in order], on_sr, config.seed))
    return torch.cat(found)


def _rectifier(config: RunConfig, metric: CalibratedMetric) -> Rectifier:
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return Rectifier(metric.quality_model.feature_dim).to(metric.device)
