"""The paper's losses: Thurstone preference, fidelity, and the group loss of method rankings."""

from __future__ import annotations

import torch
from torch import Tensor


def preference(difference: Tensor) -> Tensor:
    """Probability that the first is preferred, r̂ = Φ(Δ/√2), for a score difference Δ (Eq. 4).

    Of any shape; thresholds as in Thurstone's case V with unit variance of each score.
    """
    return torch.special.ndtr(difference / 2**0.5)


def fidelity(target: Tensor, difference: Tensor) -> Tensor:
    """Fidelity loss of every pair, 1 - √(r·r̂) - √((1-r)(1-r̂)), in [0, 1] (Eq. 5).

    Parameters
    ----------
    target : Tensor
        r, probability that the first is better, in [0, 1].
    difference : Tensor, same shape
        Predicted score of the first minus that of the second.

    Notes
    -----
    √Φ is taken as exp(log Φ / 2), whose gradient stays finite where Φ itself underflows.
    """
    half = difference / 2**0.5
    first = torch.exp(torch.special.log_ndtr(half) / 2)
    second = torch.exp(torch.special.log_ndtr(-half) / 2)
    return 1 - target.sqrt() * first - (1 - target).sqrt() * second


def ranking_target(mu: Tensor) -> Tensor:
    """Labels of every ordered pair of methods: 1 if μ_i > μ_j, 0 if below, ½ if equal (Eq. 3).

    Global ranking (N,) -> (N, N).
    """
    return (torch.sign(mu[:, None] - mu[None, :]) + 1) / 2


def group_loss(scores: Tensor, mu: Tensor) -> Tensor:
    """Fidelity loss of the group means of every pair of methods (Eq. 4 and 5).

    Parameters
    ----------
    scores : Tensor, (N, B) or (G, N, B)
        Calibrated scores of N methods on the same B contents (of G groups).
    mu : Tensor, (N,)
        Global ranking.

    Returns
    -------
    Tensor, ()
        Mean over the N(N-1)/2 pairs (and the groups).
    """
    means = scores.mean(-1)
    first, second = torch.triu_indices(len(mu), len(mu), offset=1, device=mu.device)
    target = ranking_target(mu)[first, second].to(means)
    return fidelity(target, means[..., first] - means[..., second]).mean()


def labelled_loss(scores: Tensor, mos: Tensor) -> Tensor:
    """Fidelity loss of all pairs of labelled images: the group loss, groups of one image.

    Calibrated scores (P,), and MOS (P,) of one set, higher is better -> Tensor (), mean over the
    P(P-1)/2 pairs; the label is 1 where MOS_i > MOS_j, 0 where below, ½ where equal.
    """
    return group_loss(scores.unsqueeze(-1), mos)


def order_loss(scores: Tensor) -> Tensor:
    """Fidelity loss of certain orders: along the last axis each score must exceed those after it.

    Scores (..., L) of L versions of an image, best first -> Tensor (), mean over all pairs.
    """
    versions = scores.shape[-1]
    better, worse = torch.triu_indices(versions, versions, offset=1, device=scores.device)
    difference = scores[..., better] - scores[..., worse]
    return fidelity(torch.ones_like(difference), difference).mean()


def above_loss(better: Tensor, worse: Tensor) -> Tensor:
    """Fidelity loss of scores (...,) that must exceed each of others (..., L) -> Tensor ()."""
    difference = better.unsqueeze(-1) - worse
    return fidelity(torch.ones_like(difference), difference).mean()
