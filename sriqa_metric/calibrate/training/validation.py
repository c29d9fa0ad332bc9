"""Figures of a metric on what its training did not see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...metric import CalibratedMetric
from ..data.distortions import recompressed
from ..data.sr_results import pixels
from ..features.extract import image_codes, ladder_codes, sr_codes
from ..statistics import image_pairs_right, method_srcc, pairs_right, severity_right, srcc

if TYPE_CHECKING:
    from ..data.splits import Data

_LEVELS = 4
_SR_LADDERS = 300
_TRACE_QUALITY = 90  # WebP quality that the pristine photos of a collection went through


class HeldOut:
    """Codes of held-out images under one quality model; metrics that share it read them.

    Parameters
    ----------
    metric : CalibratedMetric
        Any metric with the quality model.
    data : Data
    seed : int
        Of the ladders.
    """

    def __init__(self, metric: CalibratedMetric, data: Data, seed: int) -> None:
        self.mu = data.full.mu
        pairs = sum(a != b for a, b in combinations(self.mu, 2))
        counted = ((len(data.held_contents), "contents", 10), (pairs, "pairs of methods", 3))
        self.notes = tuple(
            f"held out are {number} {things}: fewer than {least} tell little of what is new"
            for number, things, least in counted
            if number < least
        )
        held = data.held(data.full.methods)
        self.unseen = {i for i, m in enumerate(held.methods) if m not in data.train.methods}
        self.results = sr_codes(metric, held, metric.policy)
        self.ladders = {}
        if data.held_photos:
            self.ladders["severity"] = ladder_codes(
                metric, data.held_photos, _LEVELS, on_sr=False, seed=seed
            )
        results = [held.paths[m, c] for c in held.contents for m in held.methods][:_SR_LADDERS]
        self.ladders["severity_sr"] = ladder_codes(metric, results, _LEVELS, on_sr=True, seed=seed)
        # One at a time: all of them together can be more than the memory holds.
        compressed = (
            recompressed(pixels(path), "WEBP", _TRACE_QUALITY)
            for method in held.methods
            for path in held.images(method)
        )
        number = len(held.methods) * len(held.contents)
        traced = image_codes(metric, compressed, metric.policy, number)
        self.traced = traced.view_as(self.results)

    def figures(self, metric: CalibratedMetric) -> dict[str, float]:
        """Agreement with the ranking and with certain orders.

        Returns
        -------
        dict
            `srcc` (where `notes` has nothing against it), `pairs`, `image_pairs`: on held-out
            contents, all methods; `unseen_pairs`,
            `unseen_image_pairs`: pairs with at least one method that was not trained on;
            `severity`, `severity_sr`: ladders on held-out photos, if any, and on SR results of
            held-out contents; `trace`: share of SR results whose
            score rises when they are compressed as pristine photos were (0.5 is chance, above it
            is a leak).
        """
        scores = scores_of_codes(metric, self.results)
        found = {} if self.notes else {"srcc": method_srcc(scores, self.mu)}
        found["pairs"] = pairs_right(scores, self.mu)
        found["image_pairs"] = image_pairs_right(scores, self.mu)
        if self.unseen:
            found["unseen_pairs"] = pairs_right(scores, self.mu, self.unseen)
            found["unseen_image_pairs"] = image_pairs_right(scores, self.mu, self.unseen)
        for name, ladders in self.ladders.items():
            found[name] = severity_right(scores_of_codes(metric, ladders))
        found["trace"] = float((scores_of_codes(metric, self.traced) > scores).mean())
        return found


def label_figures(
    metric: CalibratedMetric, data: Data, codes_of: Callable[[Sequence[Path]], Tensor]
) -> dict[str, float]:
    """SRCC with MOS on the validation part of every labelled set.

    Parameters
    ----------
    metric : CalibratedMetric
    data : Data
    codes_of : callable
        Files -> codes (n, C) of their test crops.
    """
    return {
        f"SRCC {labelled.name}": srcc(
            scores_of_codes(metric, codes_of(labelled.paths)), labelled.mos
        )
        for labelled in data.labelled_validation
    }


@torch.inference_mode()
def scores_of_codes(metric: CalibratedMetric, codes: Tensor) -> np.ndarray:
    """Scores (...,) of codes (..., C)."""
    return metric.read(codes.flatten(0, -2).to(metric.device)).cpu().view(codes.shape[:-1]).numpy()
