"""Figures of a metric on what its training did not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...metric import CalibratedMetric
from ..data.distortions import recompressed
from ..data.sr_results import pixels
from ..features.extract import image_codes, ladder_codes, sr_codes
from ..statistics import image_pairs_right, method_srcc, pairs_right, severity_right

if TYPE_CHECKING:
    from ..data.splits import Data

_LEVELS = 4
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
        held = data.held(data.full.methods)
        self.unseen = {i for i, m in enumerate(held.methods) if m not in data.train.methods}
        self.results = sr_codes(metric, held, metric.policy)
        self.ladders = (
            ladder_codes(metric, data.held_photos, _LEVELS, on_sr=False, seed=seed)
            if data.held_photos
            else None
        )
        compressed = [
            recompressed(pixels(path), "WEBP", _TRACE_QUALITY)
            for method in held.methods
            for path in held.images(method)
        ]
        self.traced = image_codes(metric, compressed, metric.policy).view_as(self.results)

    def figures(self, metric: CalibratedMetric) -> dict[str, float]:
        """Agreement with the ranking and with certain orders.

        Returns
        -------
        dict
            `srcc`, `pairs`, `image_pairs`: on held-out contents, all methods; `unseen_pairs`,
            `unseen_image_pairs`: pairs with at least one method that was not trained on;
            `severity`: ladders on held-out photos, if any; `trace`: share of SR results whose
            score rises when they are compressed as pristine photos were (0.5 is chance, above it
            is a leak).
        """
        scores = _scores(metric, self.results)
        found = {
            "srcc": method_srcc(scores, self.mu),
            "pairs": pairs_right(scores, self.mu),
            "image_pairs": image_pairs_right(scores, self.mu),
        }
        if self.unseen:
            found["unseen_pairs"] = pairs_right(scores, self.mu, self.unseen)
            found["unseen_image_pairs"] = image_pairs_right(scores, self.mu, self.unseen)
        if self.ladders is not None:
            found["severity"] = severity_right(_scores(metric, self.ladders))
        found["trace"] = float((_scores(metric, self.traced) > scores).mean())
        return found


@torch.inference_mode()
def _scores(metric: CalibratedMetric, codes: Tensor) -> np.ndarray:
    """Scores (...,) of codes (..., C)."""
    return metric.read(codes.flatten(0, -2).to(metric.device)).cpu().view(codes.shape[:-1]).numpy()
