"""Stage 1 as a run: a quality model, trained and written as weights with the identity rectifier."""

from __future__ import annotations

from collections.abc import Sequence
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
from ...weights.load import load_source, read_weights
from ..config import RunConfig
from ..data.splits import Data, read_data, record
from ..features.extract import image_codes
from ..features.processes import first_process
from .code_batches import CodeStores
from .crop_batches import Sources
from .inputs import run_inputs
from .label_training import train_on_labels
from .pretrained import imagenet_encoder, openai_clip
from .report import write_run_report
from .run_folder import RunFolder
from .team import agreed, find_team
from .validation import HeldOut, label_figures

_STANDARDISED_ON = 2000  # images
_FINE = 160  # numbers of the three finest stages of LiteEncoder


def train_quality_model(
    config: RunConfig, output: Path, device: torch.device
) -> dict[str, dict[str, float]]:
    """Train q_w on images with MOS and write it into a run folder; a stopped run goes on.

    Networks start from `initial`; `sriqa_lite` where there is none from ImageNet weights.

    Returns
    -------
    dict
        Variant -> named figures on what was held out.

    Raises
    ------
    SriqaError
        For settings, data or a folder that cannot be used, and for a loss that is not finite.
    """
    team = find_team(device)
    device = team.device if team else device
    data = agreed(team, lambda: _labelled_data(config))

    def opened() -> RunFolder | nullcontext[None]:
        # Of several processes that a launcher started, the first writes the files.
        if not first_process():
            return nullcontext()
        return RunFolder(output, config.to_dict(), run_inputs(config, data))

    with agreed(team, opened) as folder:
        model = agreed(team, lambda: initial_model(config, data, device))
        cast(nn.Module, model).requires_grad_(False).to(device)
        stores = None
        if config.labels.draws:
            # Codes belong to a weights file. What is trained is a network of its own.
            start = output / "initial.safetensors"
            described: dict[str, Any] = {"training_data": {}}
            agreed(
                team,
                lambda: save_weights(start, _metric(config, model), described) if folder else None,
            )
            model = load_source(str(start), device).quality_model
            place = Path(config.data.features or output / "features")
            encoder = load_source(str(start), device)
            stores = CodeStores.of(encoder, place, config.labels.draws, config.seed)
        train_on_labels(
            model,
            Sources(tuple(data.labelled_training), data.train, tuple(data.photos), data.more),
            Sources(tuple(data.labelled_validation), data.held(data.train.methods)),
            config.labels,
            config.seed,
            folder,
            device,
            stores=stores,
        )
        if folder is None:
            return {}
        metric = _metric(config, model)
        settings = {key: value for key, value in config.to_dict().items() if key != "data"}
        described = {"training_data": record(config, data), "settings": settings}
        save_weights(output / "weights.safetensors", metric, described | {"rectifier": IDENTITY})
        metric.rectifier = None
        held = HeldOut(metric, data, config.seed)

        def codes_of(paths: Sequence[Path]) -> Tensor:
            if stores:
                return stores.tested.codes(paths)[:, 0]
            return image_codes(metric, paths, metric.policy)

        figures = {"quality model": held.figures(metric) | label_figures(metric, data, codes_of)}
        write_run_report(folder, config, data, "no base", figures, held.notes)
    return figures


def _labelled_data(config: RunConfig) -> Data:
    data = read_data(config)
    if not data.labelled:
        raise SriqaError("data.labelled is not set; add --set 'data.labelled=[\"KIND=DIR\"]'")
    return data


def initial_model(config: RunConfig, data: Data, device: torch.device) -> QualityModel:
    """What stage 1 starts from: `openai` (CLIP as published), a weights file's quality model, or
    `sriqa_lite` with the encoder of ImageNet.
    """
    if config.initial == "openai" and config.metric == "sriqa_clip":
        return openai_clip()
    if config.initial:
        return read_weights(Path(config.initial), find_spec(config.metric)).quality_model
    if config.metric != "sriqa_lite":
        raise SriqaError(
            f"initial is not set; give the weights file that {config.metric} starts from, made of "
            "a published checkpoint by sriqa-weights convert"
        )
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = LiteQualityModel()
    model.encoder = imagenet_encoder()
    model.requires_grad_(False).to(device)
    paths = [path for labelled in data.labelled_training for path in labelled.paths]
    step = max(1, len(paths) // _STANDARDISED_ON)
    metric = CalibratedMetric(config.metric, model, None, CropPolicy())
    codes = image_codes(metric, paths[::step], CropPolicy(number=1)).to(device)
    model.centre.copy_(codes.mean(0))
    # A channel that hardly varies would be blown up: its spread has a floor.
    model.scale.copy_(1 / codes.std(0).clamp_min(1e-2))
    # What tells an original from a good imitation stands in the finest stages: they count double.
    model.scale[:_FINE] *= 2
    return model


def _metric(config: RunConfig, model: QualityModel) -> CalibratedMetric:
    """The quality model with a rectifier that changes nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # the hidden layer of the identity is random
        rectifier = Rectifier(model.feature_dim)
    policy = CropPolicy(number=find_spec(config.metric).crops)
    return CalibratedMetric(config.metric, model, rectifier, policy)
