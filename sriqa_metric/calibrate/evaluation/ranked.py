"""SR results and a global ranking of their methods, without votes on images.

`ranked`: `<method>/<content>.png` for every method of `ranking.csv` (method,mu), see
`sr_folders`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...csv_files import read_lines
from ...errors import SriqaError
from ...files import listed
from ..data.sr_results import read_sr_results
from ..statistics import Statistic, image_pairs_right, method_srcc, pairs_right


@dataclass(frozen=True)
class RankedSet:
    """N methods × n contents, as `SRResults`, maybe only some of the contents.

    Parameters
    ----------
    name, root
    group : str
        What the contents are called in tables.
    paths : tuple of Path
        Method by method.
    mu : ndarray, (N,)
        Global ranking.
    """

    name: str
    root: Path
    group: str
    paths: tuple[Path, ...]
    mu: np.ndarray
    notes: tuple[str, ...] = ()
    same_name_same_image: bool = False

    def statistics(self, scores: np.ndarray) -> list[Statistic]:
        """SRCC of method means, method pairs and image pairs right; rows are contents."""
        table = scores.reshape(len(self.mu), -1)
        return [
            self._over_contents("SRCC of method means", table, method_srcc),
            self._over_contents("method pairs right", table, pairs_right),
            self._over_contents("image pairs right", table, image_pairs_right),
        ]

    def _over_contents(
        self, name: str, table: np.ndarray, agreement: Callable[[np.ndarray, np.ndarray], float]
    ) -> Statistic:
        contents = np.arange(table.shape[1])
        return Statistic(self.group, name, lambda r: agreement(table[:, r], self.mu), contents)

    def references(self) -> Iterator[tuple[str, list[Statistic]]]:
        """None: the ranking itself is right everywhere."""
        return iter(())


def read_ranked(root: Path, chosen: Path | None = None) -> RankedSet:
    """Read SR results with their ranking.

    Parameters
    ----------
    root : Path
    chosen : Path, optional
        File of the contents to take, one name a line; by default all.

    Raises
    ------
    SriqaError
        As `read_sr_results`, and for a chosen content that is not there.
    """
    results = read_sr_results(root, root / "ranking.csv")
    contents = list(results.contents) if chosen is None else read_names(chosen)
    unknown = [name for name in contents if name not in results.contents]
    if unknown:
        raise SriqaError(
            f"{chosen}: {root} has no content {listed(unknown)}; it has {listed(results.contents)}"
        )
    name = root.resolve().name
    return RankedSet(
        name,
        root,
        "all" if chosen is None else chosen.stem,
        tuple(results.paths[m, c] for m in results.methods for c in contents),
        results.mu,
        (f"{name}: right is what its ranking.csv says; no votes on images are in it",),
    )


def read_names(path: Path) -> list[str]:
    """The lines of a file in NFC, as contents are, each once, without empty ones."""
    lines = (unicodedata.normalize("NFC", line).strip() for line in read_lines(path))
    names = list(dict.fromkeys(filter(None, lines)))
    if not names:
        raise SriqaError(f"{path}: names no content")
    return names
