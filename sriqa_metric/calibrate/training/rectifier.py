"""Stage 2: the rectifier, trained on cached codes of a frozen quality model."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...cli.progress import tracked
from ...errors import SriqaError
from ...memory import memory_advice
from ...models import QualityModel
from ...models.rectifier import Rectifier
from ..config import RectifierConfig
from ..features.codes import Codes
from .losses import certain_losses, group_loss, labelled_loss, levels_of
from .run_folder import RunFolder
from .stage_two_data import StageTwoData, places, require_usable


def train_rectifier(
    rectifier: Rectifier,
    model: QualityModel,
    data: StageTwoData,
    config: RectifierConfig,
    seed: int,
    folder: RunFolder,
    stage: str = "rectifier",
) -> None:
    """Train h_θ by Eq. (6): labelled loss + λ₂ · group loss, every pair of methods in each step.

    Plus, where the config asks for them, the losses of certain orders, and the identity weight
    times mean((α − 1)² + β²) over all codes of the step.

    An epoch cuts a random order of the contents into groups of B; where they are fewer than a step
    takes, it takes all in one group. A training that was stopped goes
    on from its last validation, and ends as it would have without the stop.

    Parameters
    ----------
    rectifier : Rectifier
        Changed in place to its best state on the held-out contents; its device is trained on.
    model : QualityModel
        Frozen, in evaluation mode, on the same device; reads quality and features from codes.
    data : StageTwoData
    config : RectifierConfig
    seed : int
    folder : RunFolder
        Takes the log and the checkpoints, and has those of a stopped training.
    stage : str
        Name of this training in the folder.

    Raises
    ------
    SriqaError
        For settings out of range, for codes, losses or gradients that are not finite (step, part
        and contents are named), and if the GPU's memory does not suffice.
    """
    require_usable(data)
    device = next(rectifier.parameters()).device
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        memory_advice(stage, _halved(data, config)),
    ):
        training = _Training(rectifier, model, data, config, seed, stage)
        stopped = folder.resume(stage)
        if stopped:
            training.load(stopped[1])
        else:
            folder.log(stage, 0, training.validate())
            folder.save(stage, 0, training.state())
        for step in tracked(range(stopped[0] + 1 if stopped else 1, training.steps + 1), stage):
            losses = training.step(step)
            if step % config.validate_every == 0 or step == training.steps:
                folder.log(stage, step, losses | training.validate())
                folder.save(stage, step, training.state())
        rectifier.load_state_dict(training.best_state)
    rectifier.eval().requires_grad_(False)


@dataclass(frozen=True)
class _Part:
    """A term of Eq. (6) in one step.

    `items` (...) says of which content, image or ladder each of the codes (..., C) is.
    """

    name: str
    items: Tensor
    codes: Tensor
    loss: Callable[[Tensor], Tensor]
    weight: float


class _Training:
    """A rectifier in training, and what a checkpoint holds of it."""

    def __init__(
        self,
        rectifier: Rectifier,
        model: QualityModel,
        data: StageTwoData,
        config: RectifierConfig,
        seed: int,
        stage: str,
    ) -> None:
        self.rectifier, self.model, self.data = rectifier, model, data
        self.config, self.stage = config, stage
        rectifier.train().requires_grad_()
        self.device = next(rectifier.parameters()).device
        self.optimizer = torch.optim.AdamW(
            rectifier.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        contents = data.results.shape[1]
        self.contents = min(config.contents, contents)
        self.groups = min(config.groups, contents // self.contents)
        self.steps_per_epoch = contents // (self.contents * self.groups)
        self.steps = config.epochs * self.steps_per_epoch
        self.order = torch.empty(0, dtype=torch.long)  # of the contents, in this epoch
        self.generator = torch.Generator()
        self.generators = [self.generator, *_dropout_generators(self.device)]
        for generator in self.generators:
            generator.manual_seed(seed)
        self.mu = config.mu_scale * data.mu.to(self.device)
        given = [levels_of(mos) if config.soft else mos for _, mos in data.labelled]
        self.mos = [mos.to(self.device) for mos in given]
        items = torch.arange(data.held_out.shape[1]).expand(data.held_out.shape[:2])
        self._require_finite("held-out", items, data.held_out)
        self.held_out = self._read(data.held_out)
        self.best = math.inf
        self.best_state: dict[str, Tensor] = {}

    def state(self) -> dict[str, Any]:
        """Everything that the steps to come depend on."""
        return {
            "rectifier": self.rectifier.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generators": [generator.get_state() for generator in self.generators],
            "order": self.order,
            "best": self.best,
            "best_state": self.best_state,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up a `state`."""
        if len(state["generators"]) != len(self.generators):
            raise SriqaError(
                f"{self.stage}: was started on another kind of device than {self.device}; go on "
                "there, or give the run a new folder"
            )
        self.rectifier.load_state_dict(state["rectifier"])
        self.optimizer.load_state_dict(state["optimizer"])
        for generator, kept in zip(self.generators, state["generators"], strict=True):
            generator.set_state(kept)
        self.order = state["order"]
        self.best, self.best_state = state["best"], state["best_state"]

    def step(self, number: int) -> dict[str, float]:
        """One step of the optimizer; returns the losses by part."""
        place = (number - 1) % self.steps_per_epoch
        if place == 0:
            self.order = torch.randperm(self.data.results.shape[1], generator=self.generator)
        taken = self.groups * self.contents
        chosen = self.order[place * taken :][:taken]
        losses: dict[str, Tensor] = {}
        items = {"gradient": chosen, "identity": chosen}
        departures = []
        for part in self._parts(chosen):
            self._require_finite(part.name, part.items, part.codes, f"step {number}: ")
            quality, features = self._read(part.codes)
            alpha, beta = self.rectifier(features)
            losses[part.name] = part.weight * part.loss(alpha * quality + beta)
            departures.append(((alpha - 1).square() + beta.square()).mean())
            items[part.name] = part.items
        if self.config.identity_weight:
            losses["identity"] = self.config.identity_weight * torch.stack(departures).mean()
        self.optimizer.zero_grad()
        torch.stack([*losses.values()]).sum().backward()
        norm = nn.utils.clip_grad_norm_(self.rectifier.parameters(), 1.0)
        # Read together: on a GPU each reading waits for all that runs there.
        *values, slope = torch.stack([*losses.values(), norm]).tolist()
        found = dict(zip(losses, values, strict=True))
        for name, value in (*found.items(), ("gradient", slope)):
            if not math.isfinite(value):
                where = f"{'' if name == 'gradient' else 'loss of '}{places(name, items[name])}"
                raise SriqaError(
                    f"{self.stage}: step {number}: {where} is {value}; "
                    "lower rectifier.lr, or look for codes that are very large"
                )
        self.optimizer.step()
        return found

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Group loss on held-out contents, each a group of its own; keeps the best state."""
        self.rectifier.eval()
        scores = self.rectifier.calibrate(*self.held_out)
        value = group_loss(scores.T.unsqueeze(-1), self.mu, self.config.soft).item()
        self.rectifier.train()
        if not math.isfinite(value):
            raise SriqaError(f"{self.stage}: the loss on the held-out contents is {value}")
        if value < self.best:
            self.best, self.best_state = value, copy.deepcopy(self.rectifier.state_dict())
        return {"validation": value}

    def _parts(self, chosen: Tensor) -> Iterator[_Part]:
        """Draw the terms of Eq. (6) for a step's contents, and its certain orders."""
        data, config, generator = self.data, self.config, self.generator
        items = chosen.expand(len(data.results), -1)
        methods = torch.arange(len(data.results)).unsqueeze(1)
        codes = _drawn(data.results, (methods, items), generator)
        yield _Part("group", items, codes, self._group_loss, config.group_weight)
        if config.labelled_weight:
            for index, (cached, _) in enumerate(data.labelled):
                items = torch.randperm(len(cached), generator=generator)[: config.labelled_batch]
                mos = self.mos[index][items.to(self.device)]
                codes = _drawn(cached, (items,), generator)
                loss = partial(labelled_loss, mos=mos, soft=config.soft)
                yield _Part(f"set {index + 1}", items, codes, loss, config.labelled_weight)
        if config.ladders and data.ladders is not None:
            items = torch.randint(len(data.ladders), (config.ladders,), generator=generator)
            codes = data.ladders[items]
            items = items.unsqueeze(1).expand(codes.shape[:2])
            yield _Part("ladders", items, codes, self._ladder_loss, 1.0)

    def _group_loss(self, scores: Tensor) -> Tensor:
        """Of calibrated scores (N, groups · B)."""
        groups = scores.view(len(scores), -1, self.contents).transpose(0, 1)
        return group_loss(groups, self.mu, self.config.soft)

    def _ladder_loss(self, scores: Tensor) -> Tensor:
        """Of calibrated scores (l, versions)."""
        config = self.config
        weights = (config.fine_weight, config.ruin_weight, config.trace_weight)
        losses = certain_losses(scores)
        return torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)]).sum()

    @torch.no_grad()
    def _read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Quality (...) and features (..., d) of codes (..., C), on the device."""
        quality, features = self.model.read(codes.flatten(0, -2).to(self.device))
        return quality.view(codes.shape[:-1]), features.view(*codes.shape[:-1], -1)

    def _require_finite(self, name: str, items: Tensor, codes: Tensor, when: str = "") -> None:
        finite = codes.isfinite().all(-1)
        if not finite.all():
            raise SriqaError(
                f"{self.stage}: {when}codes of {places(name, items[~finite])} are not finite; "
                "cache them anew or leave these images out"
            )


def _drawn(codes: Codes | Tensor, index: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
    """Of codes (..., 1 + K, C) at an index: one of the K draws each, the test crops if K = 0."""
    versions, shape = codes.shape[-2], index[-1].shape
    if versions == 1:
        draw = torch.zeros(shape, dtype=torch.long)
    else:
        draw = torch.randint(1, versions, shape, generator=generator)
    place = (*index, draw)
    return codes[place]


def _dropout_generators(device: torch.device) -> list[torch.Generator]:
    """torch's own generators that dropout on a device draws from."""
    if device.type != "cuda":
        return [torch.default_generator]
    return [torch.default_generator, torch.cuda.default_generators[device.index]]


def _halved(data: StageTwoData, config: RectifierConfig) -> str:
    """What to set where the memory of a GPU does not suffice."""
    advice = f"rectifier.contents={max(1, min(config.contents, data.results.shape[1]) // 2)}"
    if data.labelled:
        advice += f" or rectifier.labelled_batch={max(2, config.labelled_batch // 2)}"
    return advice
