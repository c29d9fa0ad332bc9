"""The steps of stage 1: crops to scores, losses, validation, and what a checkpoint holds.

The paper's "cosine annealing with a period of 5 epochs" is read as: the learning rate falls from
`lr` to zero along half a cosine, step by step, and starts over after `period` epochs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...crops import CropPolicy
from ...errors import SriqaError
from ...metric import CalibratedMetric
from ...models import QualityModel
from ...scoring import score_all
from ..config import LabelsConfig
from ..data.mos_sets import LabelledImages
from ..features.extract import as_crops
from ..statistics import srcc
from .crop_batches import CropBatch, CropBatches
from .losses import group_loss, labelled_loss
from .run_folder import RunFolder

if TYPE_CHECKING:
    from accelerate import Accelerator

POLICY = CropPolicy()  # of the test crops, and the size of the random ones
_CHECKPOINTED = 16  # crops whose activations are there at once


def learning_rate(step: int, period: int, highest: float) -> float:
    """Learning rate of a step, counted from 1, on half cosines of `period` steps."""
    return highest * (1 + math.cos(math.pi * ((step - 1) % period) / period)) / 2


class CropScorer(nn.Module):
    """Scores of images from their crops, as in scoring, with gradients.

    ``scorer(crops)``: (P, K, 3, S, S) in [0, 1] -> (P,), float32. Only `encode` runs in bf16; its
    codes are averaged and read in float32, so that scores of similar images do not tie.
    """

    def __init__(self, model: QualityModel, config: LabelsConfig) -> None:
        super().__init__()
        self.model = model
        self.encode = torch.compile(model.encode) if config.compile else model.encode
        self.bf16, self.checkpointing = config.precision == "bf16", config.checkpointing

    def forward(self, crops: Tensor) -> Tensor:
        flat = crops.flatten(0, 1)
        with torch.autocast(flat.device.type, torch.bfloat16, enabled=self.bf16):
            if self.checkpointing:
                parts = flat.split(_CHECKPOINTED)
                made = [checkpoint(self.encode, part, use_reentrant=False) for part in parts]
                codes = torch.cat(made)
            else:
                codes = self.encode(flat)
        return self.model.read(codes.float().unflatten(0, crops.shape[:2]).mean(1))[0]


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
        self.model = cast(nn.Module, model).to(device).train().requires_grad_()
        self.batches, self.config, self.device = batches, config, device
        self.team, self.stage = team, stage
        scorer = CropScorer(model, config)
        self.network = team.prepare_model(scorer) if team else scorer
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        self.mos = [
            torch.as_tensor(s.mos, dtype=torch.float32, device=device) for s in batches.sets
        ]
        sr = batches.sr
        self.mu = None if sr is None else torch.as_tensor(sr.mu, dtype=torch.float32, device=device)
        self.best, self.best_state = -math.inf, self.model.state_dict()

    def step(self, number: int, batch: CropBatch) -> dict[str, float]:
        """One step of the optimizer; returns the losses by set."""
        config, batches = self.config, self.batches
        # Dropout is seeded anew, so no state of torch's generators has to be kept.
        words = np.random.SeedSequence([batches.seed, 2, number, batches.process])
        torch.manual_seed(int(words.generate_state(1)[0]))
        rate = learning_rate(number, config.period * batches.steps_per_epoch, config.lr)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        images, crops = batch.crops.shape[:2]
        flat = as_crops(batch.crops.reshape(-1, *batch.crops.shape[2:]), self.device)
        scores = self.network(flat.unflatten(0, (images, crops)))
        names, losses = self._losses(scores, batch)
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
        return dict(zip(names, values, strict=True)) | {"lr": rate}

    def _losses(self, scores: Tensor, batch: CropBatch) -> tuple[list[str], list[Tensor]]:
        """Labelled loss of each set, then the weighted group loss where there are SR results."""
        names = [labelled.name for labelled in self.batches.sets]
        counts = [len(rows) for rows in batch.rows]
        *parts, results = scores.split([*counts, len(scores) - sum(counts)])
        losses = [
            labelled_loss(part, mos[rows])
            for part, mos, rows in zip(parts, self.mos, batch.rows, strict=True)
        ]
        if self.mu is not None:
            by_method = results.view(-1, len(self.mu)).T
            names.append("group")
            losses.append(self.config.group_weight * group_loss(by_method, self.mu))
        return names, losses

    def validate(self, validation: Sequence[LabelledImages]) -> dict[str, float]:
        """SRCC on every set, 0 where all scores are equal, and their mean; keeps the best state."""
        judged = copy.deepcopy(self.model)
        metric = CalibratedMetric(self.stage, cast(QualityModel, judged), None, POLICY)
        values = [srcc(self._scores(metric, labelled), labelled.mos) for labelled in validation]
        values = [0.0 if math.isnan(value) else value for value in values]
        mean = sum(values) / len(values)
        if mean > self.best:
            self.best, self.best_state = mean, judged.state_dict()
        names = [f"{labelled.name} srcc" for labelled in validation]
        return dict(zip(names, values, strict=True)) | {"validation": mean}

    def _scores(self, metric: CalibratedMetric, labelled: LabelledImages) -> np.ndarray:
        """Scores (N,) of a set's images, which all processes share among them."""
        scores = np.zeros(len(labelled.paths))
        mine = slice(self.batches.process, None, self.batches.processes)
        scores[mine] = score_all(metric, labelled.paths[mine])
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
            "processes": self.batches.processes,
        }
        folder.save(self.stage, step, state)

    def resume(self, folder: RunFolder | None) -> int | None:
        """Take up the last checkpoint and return its step, None where there is none."""
        shared = [folder.resume(self.stage) if folder else None]
        if self.team:
            torch.distributed.broadcast_object_list(shared)
        if shared[0] is None:
            return None
        step, state = shared[0]
        if state["processes"] != self.batches.processes:
            raise SriqaError(
                f"{self.stage}: was started by {state['processes']} processes and now by "
                f"{self.batches.processes}; go on with as many, or give the run a new folder"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_state = state["best"], state["best_state"]
        return step
