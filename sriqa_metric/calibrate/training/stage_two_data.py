"""What a rectifier is trained on, and whether it can be."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...errors import SriqaError
from ...names import counted
from ..features.codes import Codes


@dataclass(frozen=True)
class StageTwoData:
    """Codes that a rectifier is trained on: float32, on the CPU.

    Where there are several codes of an image, the first is of its test crops and the K others are
    of random draws of crops.

    Parameters
    ----------
    results : Codes or Tensor, (N, n, 1 + K, C)
        Codes of N methods on n contents.
    mu : Tensor, (N,)
        Global ranking.
    held_out : Tensor, (N, k, C)
        Codes of the test crops on contents that are not trained on.
    labelled : tuple of (Codes or Tensor, Tensor), (m, 1 + K, C) and (m,)
        Of each labelled set the codes and the MOS, higher is better.
    ladders : Tensor, (l, VERSIONS, C), optional
        Codes of certain orders, see `distortions.certain_order`.
    """

    results: Codes | Tensor
    mu: Tensor
    held_out: Tensor
    labelled: tuple[tuple[Codes | Tensor, Tensor], ...] = ()
    ladders: Tensor | None = None


def places(name: str, items: Tensor) -> str:
    """A part and the indices in it, as in 'group (contents 0, 3)'."""
    kind = "images" if name.startswith("set") else "ladders" if name == "ladders" else "contents"
    return f"{name} ({kind} {', '.join(map(str, items.unique().tolist()))})"


def require_usable(data: StageTwoData) -> None:
    """Refuse labels and rankings that teach nothing.

    Raises
    ------
    SriqaError
        That names the set and its images.
    """
    for index, (codes, mos) in enumerate(data.labelled):
        if len(codes) < 2 or len(codes) != len(mos):
            raise SriqaError(
                f"labelled set {index + 1} has {counted(len(codes), 'image')} and "
                f"{counted(len(mos), 'label')}; "
                "there must be as many labels as images, two or more"
            )
        # The sign of NaN is 0: it would count as a tie.
        if not mos.isfinite().all():
            images = places(f"set {index + 1}", (~mos.isfinite()).nonzero())
            raise SriqaError(f"labels of {images} are not finite")
    if not data.mu.isfinite().all():
        raise SriqaError(f"the global ranking {data.mu.tolist()} is not finite")
