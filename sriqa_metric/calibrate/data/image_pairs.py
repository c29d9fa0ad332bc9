"""`pairs.csv`: the image pairs that a study asks about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...csv_files import read_table
from ...errors import SriqaError
from ...files import write_text
from ...names import csv_line

REQUIRED = ("pair", "content", "method_a", "method_b", "image_a", "image_b")
OPTIONAL = ("image_lr", "group", "d1", "d2", "k")


@dataclass(frozen=True)
class Pair:
    """One line of `pairs.csv`; paths are relative to the folder of images.

    Parameters
    ----------
    pair : str
        Its name, unique in the file.
    content, method_a, method_b : str
    image_a, image_b : str
        The two SR results.
    image_lr : str
        The LR input; empty where there is none.
    group, d1, d2, k : str
        How the pair was selected; kept as written, empty where unknown.
    """

    pair: str
    content: str
    method_a: str
    method_b: str
    image_a: str
    image_b: str
    image_lr: str = ""
    group: str = ""
    d1: str = ""
    d2: str = ""
    k: str = ""

    def row(self) -> dict[str, str]:
        """Column names and values."""
        return asdict(self)


def read_pairs(path: Path) -> list[Pair]:
    """Read the pairs of a study.

    Parameters
    ----------
    path : Path
        CSV file with the columns `pair`, `content`, `method_a`, `method_b`, `image_a` and
        `image_b`; `image_lr`, `group`, `d1`, `d2` and `k` may be missing. Others are not read.

    Raises
    ------
    SriqaError
        For a file that cannot be read, a missing column, an empty value, a pair of a method with
        itself, and a pair that is listed twice.
    """
    pairs: list[Pair] = []
    seen: dict[object, int] = {}
    for line, row in read_table(path, REQUIRED):
        pair = Pair(**{name: row.get(name, "").strip(" ") for name in (*REQUIRED, *OPTIONAL)})
        if pair.method_a == pair.method_b:
            raise SriqaError(f"{path}: line {line}: {pair.method_a!r} is compared with itself")
        if pair.image_a == pair.image_b:
            raise SriqaError(f"{path}: line {line}: both images are {pair.image_a!r}")
        for key in (pair.pair, frozenset((pair.image_a, pair.image_b))):
            first = seen.setdefault(key, line)
            if first != line:
                raise SriqaError(f"{path}: line {line}: pair {pair.pair!r} is also line {first}")
        pairs.append(pair)
    if not pairs:
        raise SriqaError(f"{path}: no pairs, only a header")
    return pairs


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write the pairs of a study; the file is there whole or not at all.

    Raises
    ------
    SriqaError
        If it cannot be written.
    """
    columns = [*REQUIRED, *OPTIONAL]
    rows = ([pair.row()[name] for name in columns] for pair in pairs)
    write_text(path, "".join(map(csv_line, [columns, *rows])))
