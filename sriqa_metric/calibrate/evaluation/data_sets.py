"""The data sets that `evaluate` knows, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import SriqaError
from ..data.mos_sets import READERS, LabelledImages, read_labelled
from ..statistics import Statistic
from .mos import mos_statistics
from .pair_sets import read_pairs, read_realsr1k
from .ranked import read_ranked
from .sriqa_bench import read_sriqa_bench


class DataSet(Protocol):
    """What evaluation asks of a data set."""

    @property
    def name(self) -> str:
        """As in tables."""

    @property
    def root(self) -> Path:
        """Its folder."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The images to score, each once."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of a table has to know."""

    @property
    def same_name_same_image(self) -> bool:
        """Files of one name in several folders are the same image."""

    def statistics(self, scores: np.ndarray) -> list[Statistic]:
        """Figures of a metric, from its scores (in the order of `paths`), higher is better."""

    def references(self) -> Iterator[tuple[str, list[Statistic]]]:
        """Named figures that need no metric."""


@dataclass(frozen=True)
class MosSet:
    """The part of a labelled set that metrics are compared on.

    Parameters
    ----------
    root : Path
    group : str
        Name of the part.
    images : LabelledImages
    """

    root: Path
    group: str
    images: LabelledImages
    notes: tuple[str, ...] = ()
    same_name_same_image: bool = False

    @property
    def name(self) -> str:
        return self.images.name

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.images.paths

    def statistics(self, scores: np.ndarray) -> list[Statistic]:
        """SRCC, KRCC and both PLCC."""
        _, clusters = np.unique(self.images.contents, return_inverse=True)
        return mos_statistics(self.group, scores, self.images.mos, clusters)

    def references(self) -> Iterator[tuple[str, list[Statistic]]]:
        """None: single votes are not published."""
        return iter(())


def _read_mos(kind: str, root: Path) -> MosSet:
    """The published test part; where there is none the validation part; else all images."""
    images = read_labelled(kind, root)
    for part in ("test", "validation"):
        if part in images.splits:
            return MosSet(root, part, images.part(part))
    return MosSet(root, "all", images)


_OTHERS: dict[str, Callable[[Path], DataSet]] = {
    "realsr1k": read_realsr1k,
    "sriqa-bench": read_sriqa_bench,
    "pairs": read_pairs,
    "ranked": read_ranked,
}
NAMES = (*_OTHERS, *READERS)


def read_data_set(given: str, contents: Path | None = None) -> DataSet:
    """Read a data set, without looking at its images.

    Parameters
    ----------
    given : str
        `NAME=ROOT`, with a name of `NAMES`.
    contents : Path, optional
        For `ranked`: file of the contents to take.

    Raises
    ------
    SriqaError
        For anything that is not NAME=ROOT, an unknown name, and as the readers raise.
    """
    name, equals, root = given.partition("=")
    if not equals or not root or name not in NAMES:
        raise SriqaError(f"data set is {given!r}; expected NAME=ROOT, NAME of {', '.join(NAMES)}")
    if name == "ranked":
        return read_ranked(Path(root), contents)
    if name in READERS:
        return _read_mos(name, Path(root))
    return _OTHERS[name](Path(root))
