"""Stage 1 as a run: a quality model, trained and written as weights with the identity rectifier."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ...crops import CropPolicy
from ...errors import SriqaError
from ...metric import CalibratedMetric
from ...models import QualityModel
from ...models.lite import LiteQualityModel
from ...models.rectifier import Rectifier
from ...registry import find_spec
from ...weights.convert import IDENTITY
from ...weights.format import save_weights
from ...weights.load import read_weights
from ..config import RunConfig
from ..data.splits import Data, read_data, record
from ..features.extract import ladder_codes, sr_codes
from .crop_batches import Sources
from .label_training import first_process, train_on_labels
from .pretrained import imagenet_encoder, openai_clip
from .quality_training import fine_tune, standardise_scores, train_prior
from .report import write_run_report
from .run_folder import RunFolder
from .validation import HeldOut

_LEVELS = 3  # distorted versions in a ladder


def train_quality_model(
    config: RunConfig, output: Path, device: torch.device
) -> dict[str, dict[str, float]]:
    """Train q_w and write it into a run folder; a run that was stopped goes on.

    `sriqa_lite` starts from ImageNet weights and learns certain orders and the ranking; the
    networks of the paper start from `initial` and learn from labelled images.

    Returns
    -------
    dict
        Variant -> named figures on what was held out.

    Raises
    ------
    SriqaError
        For settings, data or a folder that cannot be used, and for a loss that is not finite.
    """
    data = read_data(config)
    # Of several processes that a launcher started, the first writes the files.
    own = RunFolder(output, config.to_dict()) if first_process() else nullcontext()
    with own as folder:
        models: dict[str, QualityModel] = {}
        if config.metric == "sriqa_lite":
            if folder is None:
                raise SriqaError("sriqa_lite is trained by one process, without a launcher")
            prior = _prior(config, data, folder, device)
            tuned = fine_tune(
                prior, data.train, data.photos, config.quality_model, config.seed, folder
            )
            for name, trained in (("prior", prior), ("weights", tuned)):
                standardise_scores(trained, _codes(config, trained, data))
                models[name] = trained
        else:
            models["weights"] = _labelled(config, data, folder, device)
        if folder is None:
            return {}
        figures = {}
        for name, model in models.items():
            _save(config, model, data, output / f"{name}.safetensors")
            metric = _as_metric(config, model)
            variant = "quality model" if name == "weights" else name
            figures[variant] = HeldOut(metric, data, config.seed).figures(metric)
        write_run_report(folder, config, data, "no base", figures)
    return figures


def _prior(
    config: RunConfig, data: Data, folder: RunFolder, device: torch.device
) -> LiteQualityModel:
    """`sriqa_lite`'s head on a frozen encoder, from certain orders alone."""
    if not data.photos:
        raise SriqaError("data.photos is not set; sriqa_lite's quality model learns from photos")
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = LiteQualityModel()
    model.encoder = imagenet_encoder()
    model.requires_grad_(False).to(device)
    stopped = folder.resume("prior")
    if stopped:
        model.load_state_dict(stopped[1])
        return model
    metric = _as_metric(config, model)
    ladders = ladder_codes(metric, data.photos, _LEVELS, on_sr=False, seed=config.seed)
    train_prior(model, ladders, config.quality_model, config.seed, folder.log)
    folder.save("prior", config.quality_model.prior_steps, model.state_dict())
    return model


def _codes(config: RunConfig, model: LiteQualityModel, data: Data) -> Tensor:
    metric = _as_metric(config, model)
    return sr_codes(metric, data.train, metric.policy)


def _labelled(
    config: RunConfig, data: Data, folder: RunFolder | None, device: torch.device
) -> QualityModel:
    """A network of the paper, from images with MOS."""
    if not data.labelled:
        raise SriqaError("data.labelled is not set; add --set 'data.labelled=[\"koniq10k=DIR\"]'")
    model = initial_model(config)
    cast(nn.Module, model).requires_grad_(False).to(device)
    train_on_labels(
        model,
        Sources(tuple(data.labelled_training), data.train, tuple(data.photos)),
        data.labelled_validation,
        config.labels,
        config.seed,
        folder,
        device,
    )
    return model


def initial_model(config: RunConfig) -> QualityModel:
    """What stage 1 starts from: `openai` (CLIP as published), or a weights file's quality model."""
    if config.initial == "openai" and config.metric == "sriqa_clip":
        return openai_clip()
    if not config.initial:
        raise SriqaError(
            f"initial is not set; give the weights file that {config.metric} starts from, made of "
            "a published checkpoint by sriqa-weights convert"
        )
    return read_weights(Path(config.initial), find_spec(config.metric)).quality_model


def _as_metric(config: RunConfig, model: Any) -> CalibratedMetric:
    return CalibratedMetric(config.metric, model, None, CropPolicy())


def _save(config: RunConfig, model: Any, data: Data, path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # the hidden layer of the identity is random
        rectifier = Rectifier(model.feature_dim)
    metric = CalibratedMetric(config.metric, model, rectifier, CropPolicy())
    settings = {key: value for key, value in config.to_dict().items() if key != "data"}
    described = {"training_data": record(config, data), "settings": settings, "rectifier": IDENTITY}
    save_weights(path, metric, described)
