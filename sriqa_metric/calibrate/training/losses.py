"""The paper's losses: Thurstone preference, fidelity, and the group loss of method rankings."""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.distortions import FINE_STEPS, RUINS, TRACES

_TRACE = 0.15  # levels that compression takes where people hardly see it


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


def pair_targets(values: Tensor, soft: bool = False) -> Tensor:
    """Labels r of all pairs i < j of methods or images, (N,) -> (N(N-1)/2,).

    1 if the first is higher, 0 if lower, ½ if equal (Eq. 3). Where `soft`, the preference
    Φ(Δ/√2) of the difference (Eq. 4): it tells how far apart the two are, and is reached by scores
    that are as far apart, where a label of 1 drives them apart without end.
    """
    first, second = torch.triu_indices(len(values), len(values), offset=1, device=values.device)
    difference = values[first] - values[second]
    return preference(difference) if soft else (torch.sign(difference) + 1) / 2


def group_loss(scores: Tensor, mu: Tensor, soft: bool = False) -> Tensor:
    """Fidelity loss of the group means of every pair of methods (Eq. 4 and 5).

    Parameters
    ----------
    scores : Tensor, (N, B) or (G, N, B)
        Calibrated scores of N methods on the same B contents (of G groups).
    mu : Tensor, (N,)
        Global ranking.
    soft : bool
        See `pair_targets`.

    Returns
    -------
    Tensor, ()
        Mean over the N(N-1)/2 pairs (and the groups).
    """
    means = scores.mean(-1)
    first, second = torch.triu_indices(len(mu), len(mu), offset=1, device=mu.device)
    target = pair_targets(mu, soft).to(means)
    return fidelity(target, means[..., first] - means[..., second]).mean()


def labelled_loss(scores: Tensor, mos: Tensor, soft: bool = False) -> Tensor:
    """Fidelity loss of all pairs of labelled images: the group loss, groups of one image.

    Calibrated scores (P,), and MOS (P,) of one set, higher is better and in levels where `soft` ->
    Tensor (), mean over the P(P-1)/2 pairs.
    """
    return group_loss(scores.unsqueeze(-1), mos, soft)


def levels_of(mos: Tensor) -> Tensor:
    """MOS (m,) of a set on the scale of five levels: its lowest becomes 1, its highest 5.

    Where all are equal, all are 3.
    """
    low, high = mos.aminmax()
    return 1 + 4 * (mos - low) / (high - low) if high > low else torch.full_like(mos, 3)


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


def certain_losses(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Losses of certain orders, scores (..., VERSIONS) of `distortions.certain_order`.

    Returns
    -------
    tuple of Tensor, ()
        Every step of a blur; the image against its ruins; the image against traces of
        compression, which are to cost a little and never to pay.
    """
    ordered, ruins, traces = scores.split([1 + FINE_STEPS, RUINS, TRACES], dim=-1)
    best = ordered[..., :1]
    target = preference(torch.full_like(traces, _TRACE))
    return (
        order_loss(ordered),
        above_loss(best[..., 0], ruins),
        fidelity(target, best - traces).mean(),
    )
