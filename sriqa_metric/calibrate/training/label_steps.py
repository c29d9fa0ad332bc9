"""The steps of stage 1: losses, validation, and what a checkpoint holds.

The paper's "cosine annealing with a period of 5 epochs" is read as: the learning rate falls from
`lr` to zero along half a cosine, step by step, and starts over after `period` epochs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...crops import CropPolicy
from ...errors import SriqaError
from ...metric import CalibratedMetric
from ...models import QualityModel
from ...models.lite import LiteQualityModel
from ...scoring import score_all
from ..config import LabelsConfig
from ..data.distortions import VERSIONS
from ..features.extract import as_crops
from ..statistics import image_pairs_right, srcc
from .code_batches import CodeBatches
from .crop_batches import Batch, CropBatches, Sources
from .crop_scorers import CodeScorer, CropScorer
from .losses import certain_losses, group_loss, labelled_loss, levels_of
from .rating_scale import fit_rating_scale
from .run_folder import RunFolder
from .team import agreed

if TYPE_CHECKING:
    from accelerate import Accelerator

POLICY = CropPolicy()  # of the test crops, and the size of the random ones


def learning_rate(step: int, period: int, highest: float) -> float:
    """Learning rate of a step, counted from 1, on half cosines of `period` steps."""
    return highest * (1 + math.cos(math.pi * ((step - 1) % period) / period)) / 2


def learning_parts(
    model: nn.Module, config: LabelsConfig
) -> list[tuple[float, list[nn.Parameter]]]:
    """Highest learning rates and the parameters that have them; `config.frozen` has none.

    Raises
    ------
    SriqaError
        If a name in `frozen` or `head` begins no parameter's, or nothing is left to train.
    """
    names = [name for name, _ in model.named_parameters()]
    for setting in ("frozen", "head"):
        for part in getattr(config, setting):
            if not any(_inside(name, part) for name in names):
                raise SriqaError(f"labels.{setting}: the network has no part {part!r}")
    body: list[nn.Parameter] = []
    head: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        frozen = any(_inside(name, part) for part in config.frozen)
        parameter.requires_grad_(not frozen)
        if not frozen:
            (head if any(_inside(name, part) for part in config.head) else body).append(parameter)
    if not (body or head):
        raise SriqaError(f"labels.frozen is {config.frozen}: nothing is left to train")
    return [(rate, part) for rate, part in ((config.lr, body), (config.head_lr, head)) if part]


def _inside(name: str, part: str) -> bool:
    return f"{name}.".startswith(f"{part}.")


class LabelTraining:
    """A quality model in training, and what a checkpoint holds of it."""

    def __init__(
        self,
        model: QualityModel,
        batches: CropBatches,
        config: LabelsConfig,
        device: torch.device,
        team: Accelerator | None,
        stage: str,
    ) -> None:
        self.model = cast(nn.Module, model).to(device).train()
        self.batches, self.config, self.device = batches, config, device
        self.team, self.stage = team, stage
        # Before a launcher wraps the network: it ties the gradients of what is trained then.
        self.rates = learning_parts(self.model, config)
        self.cached = batches if isinstance(batches, CodeBatches) else None
        if self.cached:
            self._require_frozen()
        scorer = CodeScorer(model) if self.cached else CropScorer(model, config)
        self.network = team.prepare_model(scorer) if team else scorer
        self.optimizer = torch.optim.AdamW(
            [{"params": parameters} for _, parameters in self.rates],
            lr=config.lr,
            weight_decay=config.weight_decay,
        )
        self.average = copy.deepcopy(self.model) if config.averaging else None
        sources = batches.sources
        self.mos = [
            torch.as_tensor(s.mos, dtype=torch.float32, device=device) for s in sources.labelled
        ]
        if config.soft:
            self.mos = [levels_of(mos) for mos in self.mos]
        self.mu = [
            config.mu_scale * torch.as_tensor(sr.mu, dtype=torch.float32, device=device)
            for sr, _, _ in batches.groups
        ]
        self.best, self.best_state = -math.inf, self.model.state_dict()

    def _require_frozen(self) -> None:
        blank = torch.zeros(1, 3, POLICY.size, POLICY.size, device=self.device)
        if cast(QualityModel, self.model).encode(blank).requires_grad:
            raise SriqaError(
                f"labels.draws is {self.config.draws}, which computes codes once, but what encodes "
                f"is trained: labels.frozen is {self.config.frozen}; freeze it, or set "
                "labels.draws=0"
            )

    def step(self, number: int, batch: Batch) -> dict[str, float]:
        """One step of the optimizer; returns the losses by set."""
        config, batches = self.config, self.batches
        # Dropout is seeded anew, so no state of torch's generators has to be kept.
        # It is the same in all processes, which read all scores alike.
        words = np.random.SeedSequence([batches.seed, 2, number])
        torch.manual_seed(int(words.generate_state(1)[0]))
        share = learning_rate(number, config.period * batches.steps_per_epoch, 1.0)
        for group, (highest, _) in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = share * highest
        self.optimizer.zero_grad()
        names, losses = self._losses(self._scored(batch), batch)
        total = torch.stack(losses).sum()
        total.backward()
        # A limit of infinity clips nothing.
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), math.inf)
        # Read together: on a GPU each reading waits for all that runs there.
        *values, loss, slope = torch.stack([*losses, total, norm]).detach().tolist()
        for name, value in (("loss", loss), ("gradient", slope)):
            if not math.isfinite(value):
                files = ", ".join(str(path) for path in batch.files)
                raise SriqaError(
                    f"{self.stage}: the {name} of step {number} is {value}; "
                    f"a lower labels.lr may help; its images: {files}"
                )
        self.optimizer.step()
        if self.average is not None:
            # The first steps count less and less: the average soon forgets where it started.
            decay = min(config.averaging, number / (9 + number))
            for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                kept.data.lerp_(new.data, 1 - decay)
        return dict(zip(names, values, strict=True)) | {"lr": share * config.lr}

    def _scored(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores (P,) of all images from their K crops, and (L, V) of all versions in ladders."""
        own = (batch.images, batch.ladders)
        # One pass of the network: a launcher ties the gradients of each pass together.
        flat = np.concatenate([x.reshape(-1, *x.shape[2:]) for x in own])
        given = (
            torch.from_numpy(flat).to(self.device) if self.cached else as_crops(flat, self.device)
        )
        (number, crops), (ladders, versions) = (x.shape[:2] for x in own)
        counts = [crops] * number + [1] * (ladders * versions)
        scores = self.network(given, counts, batch.shares)
        images = sum(map(len, batch.rows)) + sum(
            len(sr.methods) * size * number for sr, size, number in self.batches.groups
        )
        return scores[:images], scores[images:].view(-1, VERSIONS)

    def _losses(
        self, scored: tuple[Tensor, Tensor], batch: Batch
    ) -> tuple[list[str], list[Tensor]]:
        """Labelled loss of each set, then the weighted losses of groups and of certain orders."""
        scores, ladders = scored
        config = self.config
        names = [labelled.name for labelled in self.batches.sources.labelled]
        counts = [len(rows) for rows in batch.rows]
        sizes = [len(sr.methods) * size * number for sr, size, number in self.batches.groups]
        parts = scores.split([*counts, *sizes])
        rated, results = parts[: len(counts)], parts[len(counts) :]
        losses = [
            labelled_loss(part, mos[rows], config.soft)
            for part, mos, rows in zip(rated, self.mos, batch.rows, strict=True)
        ]
        ranked = zip(results, self.batches.groups, self.mu, strict=True)
        for place, (part, (_, size, _), mu) in enumerate(ranked, 1):
            groups = part.view(-1, size, len(mu)).transpose(1, 2)
            names.append("group" if place == 1 else f"group {place}")
            losses.append(config.group_weight * group_loss(groups, mu, config.soft))
        if len(ladders):
            weights = (config.fine_weight, config.ruin_weight, config.trace_weight)
            names += ["fine", "ruin", "trace"]
            losses += [w * loss for w, loss in zip(weights, certain_losses(ladders), strict=True)]
        return names, losses

    def validate(self, held: Sources) -> dict[str, float]:
        """SRCC on every labelled set, 0 where all scores are equal, and the share of image pairs
        in the ranking's order where groups are trained on; their mean keeps the best state, of
        `sriqa_lite` with soft labels on the scale of these ratings.
        """
        judged = copy.deepcopy(self.average or self.model)
        metric = CalibratedMetric(self.stage, cast(QualityModel, judged), None, POLICY)
        found, rated = {}, []
        for labelled in held.labelled:
            rated.append(self._scores(metric, labelled.paths))
            value = srcc(rated[-1], labelled.mos)
            found[f"{labelled.name} srcc"] = 0.0 if math.isnan(value) else value
        if self.mu and held.sr is not None:
            sr = held.sr
            scores = self._scores(metric, [path for m in sr.methods for path in sr.images(m)])
            found["image pairs"] = image_pairs_right(scores.reshape(len(sr.methods), -1), sr.mu)
        mean = sum(found.values()) / len(found)
        if mean > self.best:
            if self.config.soft and isinstance(judged, LiteQualityModel):
                levels = [levels_of(torch.as_tensor(one.mos)).numpy() for one in held.labelled]
                scale = fit_rating_scale(np.concatenate(rated), np.concatenate(levels))
                judged.rating.copy_(torch.tensor(scale))
            self.best, self.best_state = mean, judged.state_dict()
        return found | {"validation": mean}

    def _scores(self, metric: CalibratedMetric, paths: Sequence[Path]) -> np.ndarray:
        """Scores (N,) of images, which all processes share among them."""
        if self.cached:
            with torch.inference_mode():
                return metric.read(self.cached.tested(paths).to(self.device)).cpu().numpy()
        scores = np.zeros(len(paths))
        mine = slice(self.batches.process, None, self.batches.processes)
        scores[mine] = agreed(self.team, lambda: score_all(metric, paths[mine]))
        if self.team:
            parts: list[Any] = [None] * self.batches.processes
            torch.distributed.all_gather_object(parts, scores)
            scores = np.sum(parts, axis=0)
        return scores

    def keep(self, folder: RunFolder | None, step: int, figures: dict[str, float]) -> None:
        """Log the figures of a step and write a checkpoint that goes on after it."""
        if folder is None:
            return
        folder.log(self.stage, step, figures)
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "best_state": self.best_state,
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        folder.save(self.stage, step, state)

    def resume(self, folder: RunFolder | None) -> int | None:
        """Take up the last checkpoint and return its step, None where there is none."""
        shared = [agreed(self.team, lambda: folder.resume(self.stage) if folder else None)]
        if self.team:
            torch.distributed.broadcast_object_list(shared)
        if shared[0] is None:
            return None
        step, state = shared[0]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.best, self.best_state = state["best"], state["best_state"]
        return step
