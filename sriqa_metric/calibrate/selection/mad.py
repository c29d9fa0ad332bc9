"""MAD competition: which contents show best how each pair of SR methods differs.

For each of the N(N − 1)/2 method pairs, contents are taken one by one; the next is

    x* = argmax_x  D1(f_i(x), f_j(x)) + λ₁ D2(x, S)                                       (Eq. 1)

over the contents not in S, those taken for this pair so far. D1 is DISTS between the two results.
D2(x, S) is the mean, over S, of the mean squared difference between the features of two LR inputs;
it is 0 for empty S. Of equal contents the first by name is taken.

The mean over S and the squared difference are those of the authors' released script. It reads
25,088 features of a VGG-16 with batch norm at a fixed size; here they are the 512 maps after
relu5_3 of the VGG-16 of DISTS, averaged over positions, so that 10,000 contents take 20 MB.

Groups. `mad`: all K contents are taken so. `mad+mid`: half of K is (the larger half of an odd K);
the others are `mid`, ordinary contents: all contents are put in the order of D1, and from the
median outwards (at equal distance the larger D1 first) those not yet taken are taken.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np

from ...cli.progress import tracked
from ...errors import SriqaError
from ..config import LAMBDA_1, K
from ..data.image_pairs import Pair
from .contents import Contents
from .distances import Distances

GROUPS = ("mad", "mad+mid")


def take_greedily(d1: np.ndarray, features: np.ndarray, k: int, lambda_1: float) -> list[int]:
    """The contents that Eq. (1) takes for one method pair, in its order.

    Parameters
    ----------
    d1 : ndarray, (contents,)
    features : ndarray, (contents, d)
    k : int
        How many; all of them where there are fewer.
    lambda_1 : float
        Weight of D2.

    Returns
    -------
    list of int
        Different indices.
    """
    taken: list[int] = []
    value = d1.astype(np.float64)
    distance = np.zeros(len(d1))  # to the contents taken, summed
    free = np.ones(len(d1), bool)
    for _ in range(min(k, len(d1))):
        d2 = distance / max(len(taken), 1)
        best = int(np.argmax(np.where(free, value + lambda_1 * d2, -np.inf)))
        taken.append(best)
        free[best] = False
        distance += squared_differences(features, features[best])
    return taken


def take_middle(d1: np.ndarray, k: int, taken: list[int]) -> list[int]:
    """The k contents nearest to the median in the order of D1 that are not `taken`.

    Parameters
    ----------
    d1 : ndarray, (contents,)
    k : int
        How many; all that are left where there are fewer.
    taken : list of int
    """
    order = np.argsort(-d1, kind="stable")
    outwards = np.argsort(np.abs(2 * np.arange(len(d1)) - (len(d1) - 1)), kind="stable")
    chosen = set(taken)
    left = (int(index) for index in order[outwards] if int(index) not in chosen)
    return list(itertools.islice(left, k))


def squared_differences(features: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Mean squared difference of each row of (n, d) features to `one`, (d,)."""
    difference = features - one
    return np.einsum("ij,ij->i", difference, difference) / len(one)


def set_distances(features: np.ndarray, taken: list[int]) -> list[float]:
    """D2 of each content taken to the set of those taken before it."""
    found = []
    for number, index in enumerate(taken):
        if number:
            before = squared_differences(features[taken[:number]], features[index])
            found.append(float(before.mean()))
        else:
            found.append(0.0)
    return found


def select_pairs(
    found: Contents,
    distances: Distances,
    k: int = K,
    lambda_1: float = LAMBDA_1,
    groups: str = "mad",
) -> list[Pair]:
    """Select K image pairs of each method pair.

    Parameters
    ----------
    found : Contents
    distances : Distances
    k : int
        Contents per method pair; all of them where there are fewer.
    lambda_1 : float
    groups : str
        One of `GROUPS`.

    Returns
    -------
    list of Pair
        Method pair by method pair, each in the order taken (column `k`, from 1); `d2` is the
        distance to the contents taken before it. Paths are relative to `common_root`.
    """
    if k < 1:
        raise SriqaError(f"k is {k}; at least one content per method pair is needed")
    if not 0 <= lambda_1 < float("inf"):
        raise SriqaError(f"lambda_1 is {lambda_1}; it is 0 or more")
    if groups not in GROUPS:
        raise SriqaError(f"groups is {groups!r}; use one of {', '.join(GROUPS)}")
    root = common_root(found)
    features = distances.features.astype(np.float64)
    selected = []
    method_pairs = list(itertools.combinations(found.methods, 2))
    for column, (a, b) in tracked(enumerate(method_pairs), "selection", len(method_pairs)):
        d1 = distances.d1[:, column]
        n_mid = k // 2 if groups == "mad+mid" else 0
        taken = take_greedily(d1, features, k - n_mid, lambda_1)
        n_mad = len(taken)
        taken += take_middle(d1, n_mid, taken)
        d2 = set_distances(features, taken)
        for number, index in enumerate(taken):
            content = found.contents[index]
            selected.append(
                Pair(
                    pair=f"{a}/{b}/{content}",  # no method holds a slash: unique
                    content=content,
                    method_a=a,
                    method_b=b,
                    image_a=found.results[a, content].relative_to(root).as_posix(),
                    image_b=found.results[b, content].relative_to(root).as_posix(),
                    image_lr=found.inputs[content].relative_to(root).as_posix(),
                    group="mad" if number < n_mad else "mid",
                    d1=f"{d1[index]:.6f}",
                    d2=f"{d2[number]:.6f}",
                    k=str(number + 1),
                )
            )
    return selected


def common_root(found: Contents) -> Path:
    """The deepest folder that holds all results and LR inputs: where the study looks for them."""
    folders = {path.parent for path in (*found.results.values(), *found.inputs.values())}
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:
        raise SriqaError("results and LR inputs must be on one drive, as a study needs") from None
