"""Stage 1: a quality model, trained on pairs of images with MOS.

With SR results beside them the same training is ablation Model IV: the group loss trains the
quality model itself. Where all that encodes is frozen, codes are computed once.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial

import torch

from ...cli.progress import tracked
from ...errors import SriqaError
from ...memory import memory_advice
from ...models import QualityModel
from ...names import counted
from ...processors import available
from ..config import LabelsConfig
from ..data.mos_sets import require_images
from ..features.processes import first_process
from .code_batches import CodeBatches, CodeStores, cached_files
from .crop_batches import CropBatches, Sources
from .label_steps import POLICY, LabelTraining
from .run_folder import RunFolder
from .team import agreed, find_team

_SAVE_EVERY = 200  # steps


def train_on_labels(
    model: QualityModel,
    sources: Sources,
    validation: Sources,
    config: LabelsConfig,
    seed: int,
    folder: RunFolder | None,
    device: torch.device,
    stage: str = "labels",
    stores: CodeStores | None = None,
) -> None:
    """Train q_w by the sum over sets of the labelled loss, plus groups and certain orders.

    All pairs of a set's images in a step are compared, never images of two sets. A training that
    was stopped goes on from its last checkpoint, and ends as it would have without the stop.

    Started by `accelerate launch`, the processes share the images of each step, whose losses and
    gradients are those of a single process; a stopped training goes on with any number of them.

    Parameters
    ----------
    model : QualityModel
        Changed in place to its best state, see `LabelTraining.validate`, before the first step
        and after each epoch; the first of equals is kept.
    sources : Sources
        What is trained on; of SR results and photos as much as `config` asks for.
    validation : Sources
        What the best state is chosen on.
    config : LabelsConfig
    seed : int
    folder : RunFolder
        Takes the log and the checkpoints, and has those of a stopped training. None where
        `first_process()` is False.
    device : torch.device
        Where to train; accelerate's choice goes before it.
    stage : str
        Name of this training in the folder.
    stores : CodeStores, optional
        Keep the codes of `model` where `config.draws` asks for them.

    Raises
    ------
    SriqaError
        For settings out of range, images that are missing or cannot be read, a loss or gradient
        that is not finite (step and files are named), and if the GPU's memory does not suffice.
    """
    if config.epochs == 0:
        return
    team = find_team(device)
    agreed(team, lambda: _check(sources, validation, config))
    device = team.device if team else device
    process, processes = (team.process_index, team.num_processes) if team else (0, 1)
    if stores is not None:
        if team:  # each caches its part, and waits for the others
            for store, part in zip(stores, (sources, validation), strict=True):
                fill = partial(store.fill, cached_files(part, config), process, processes)
                agreed(team, fill)
        batches: CropBatches = CodeBatches(sources, config, seed, stores, process, processes)
    else:
        batches = CropBatches(sources, config, seed, POLICY.size, process, processes)
    steps = config.epochs * batches.steps_per_epoch
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        memory_advice(stage, _halved(config)),
    ):
        training = LabelTraining(model, batches, config, device, team, stage)
        stopped = training.resume(folder)
        if stopped is None:
            training.keep(folder, 0, training.validate(validation))
        following = range((stopped or 0) + 1, steps + 1)
        workers = 1 if device.type == "cpu" else max(1, available() // processes)
        with closing(batches.stream(following, workers)) as stream:
            shown = tracked(following, stage, hidden=not first_process())
            for step in shown:
                losses = training.step(step, agreed(team, lambda: next(stream)))
                if step % batches.steps_per_epoch == 0:
                    training.keep(folder, step, losses | training.validate(validation))
                elif step % _SAVE_EVERY == 0:
                    training.keep(folder, step, losses)
                elif folder:
                    folder.log(stage, step, losses)
    training.model.load_state_dict(training.best_state)
    training.model.eval().requires_grad_(False)


def _check(sources: Sources, validation: Sources, config: LabelsConfig) -> None:
    for setting, there, advice in (
        ("contents", sources.sr, "SR results; set data.sr"),
        ("sr_ladders", sources.sr, "SR results; set data.sr"),
        ("photo_ladders", sources.photos, "photos; set data.photos"),
    ):
        if getattr(config, setting) and not there:
            raise SriqaError(
                f"labels.{setting} is {getattr(config, setting)}, but there are no {advice}"
            )
    if config.draws and config.crops > config.draws:
        raise SriqaError(
            f"labels.crops is {config.crops}, but labels.draws caches {config.draws} of each image"
        )
    for name, given in (("train on", sources), ("choose the best state on", validation)):
        if not given.labelled:
            raise SriqaError(f"no labelled images to {name}; set data.labelled, or labels.epochs=0")
    for labelled in (*sources.labelled, *validation.labelled):
        if len(labelled.paths) < 2:
            images = counted(len(labelled.paths), "image")
            raise SriqaError(f"{labelled.name}: {images}; pairs need two")
        require_images(labelled.name, labelled.paths)


def _halved(config: LabelsConfig) -> str:
    """What to set where the memory of a GPU does not suffice."""
    advice = f"labels.batch={max(2, config.batch // 2)} (it is {config.batch})"
    if config.contents:
        advice += f", labels.contents={max(1, config.contents // 2)} (it is {config.contents})"
    if not config.checkpointing:
        advice += " or labels.checkpointing=true"
    return advice
