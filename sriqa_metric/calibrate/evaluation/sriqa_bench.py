"""SRIQA-Bench: 100 contents, each in ten SR methods' versions and the original, with MOS.

Read from one of

- `MOS/<content>.csv`, lines `name,mos`, higher is better;
- `sriqa_bench.afine*.txt`, lines `name,reference,score`, LOWER is better;
- `sriqa_bench.vqr1*.txt`, lines `reference name score`, higher is better.

The first two community lists sum to 100 with each other; here MOS is always the higher the
better. Names are `<content>_<method>.png`; images lie in `<method>/`, `images/` or `TestImages/`.

The paper averages SRCC over contents; A-FINE, which published the benchmark, counts pairs within
a content, apart for the two regression-based methods and the eight generation-based ones. Which
two is in none of the lists: SwinIR and RealESRNet are taken, the two lowest by mean MOS, unless a
file `groups.csv` (method,group) says otherwise. The original is no SR result: it counts in
`with original` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from ...csv_files import number_of, read_lines, read_list, read_table
from ...errors import SriqaError
from ..statistics import Statistic, choices, srcc

REGRESSION = ("SwinIR", "RealESRNet")
ORIGINAL = "Original"
_FOLDERS = ("images", "TestImages", ".")


@dataclass(frozen=True)
class BenchSet:
    """N versions of contents.

    Parameters
    ----------
    name, root
    paths : tuple of Path
    mos : ndarray, (N,)
        Higher is better.
    contents, methods : ndarray of str, (N,)
    groups : dict
        Method -> group.
    """

    name: str
    root: Path
    paths: tuple[Path, ...]
    mos: np.ndarray
    contents: np.ndarray
    methods: np.ndarray
    groups: dict[str, str]
    notes: tuple[str, ...] = ()
    same_name_same_image: bool = False

    def statistics(self, scores: np.ndarray) -> list[Statistic]:
        """Three figures for each group of methods, for all SR methods, and with the original."""
        group = np.array([self.groups.get(method, "") for method in self.methods])
        result = self.methods != ORIGINAL
        parts = [(name, group == name) for name in dict.fromkeys(self.groups.values())]
        parts += [("all", result), ("with original", np.ones_like(result))]
        if result.all():
            parts.pop()
        return [
            statistic
            for name, keep in parts
            for statistic in content_statistics(
                name, scores[keep], self.mos[keep], self.contents[keep]
            )
        ]

    def references(self) -> Iterator[tuple[str, list[Statistic]]]:
        """None: single votes are not published."""
        return iter(())


def content_statistics(
    group: str, scores: np.ndarray, mos: np.ndarray, contents: np.ndarray
) -> list[Statistic]:
    """SRCC averaged over contents, SRCC over all, and pairs of a content in the right order.

    A content whose versions all have the same score counts as SRCC zero; one whose MOS are all
    the same is left out, as are pairs of equal MOS. Equal scores count half.
    """
    _, code = np.unique(contents, return_inverse=True)
    each, right, where = [], [], []
    for content in range(code.max() + 1):
        s, m = scores[code == content], mos[code == content]
        if np.ptp(m) > 0:
            each.append(0.0 if np.ptp(s) == 0 else srcc(s, m))
        for i, j in combinations(range(len(m)), 2):
            if m[i] != m[j]:
                better, worse = (i, j) if m[i] > m[j] else (j, i)
                right.append(float(choices(s[better], s[worse])))
                where.append(content)
    by_content, by_pair = np.array(each), np.array(right)
    return [
        Statistic(group, "SRCC per content", lambda r: _mean(by_content[r]), np.arange(len(each))),
        Statistic(group, "SRCC", lambda r: srcc(scores[r], mos[r]), code),
        Statistic(group, "pairs right", lambda r: _mean(by_pair[r]), np.array(where, dtype=int)),
    ]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def read_sriqa_bench(root: Path) -> BenchSet:
    """Read SRIQA-Bench.

    Raises
    ------
    SriqaError
        For a folder with none of the three label files or several of them, a line that is not
        of its kind, and a name that is not `<content>_<method>.*`.
    """
    labels = _labels(root)
    contents, methods = [], []
    for name in labels:
        content, underscore, method = Path(name).stem.rpartition("_")
        if not underscore or not content or not method:
            raise SriqaError(f"{root}: label of {name!r}, which is not <content>_<method>.png")
        contents.append(content)
        methods.append(method.removesuffix("x4"))
    groups, note = _groups(root, methods)
    return BenchSet(
        "sriqa-bench",
        root,
        tuple(_place(root, name) for name in labels),
        np.array(list(labels.values())),
        np.array(contents),
        np.array(methods),
        groups,
        (note,),
    )


def _labels(root: Path) -> dict[str, float]:
    """Name -> MOS, higher is better."""
    kinds = ("MOS/*.csv", "sriqa_bench.afine*.txt", "sriqa_bench.vqr1*.txt")
    found = {kind: sorted(root.glob(kind)) for kind in kinds}
    there = [str(path.relative_to(root)) for paths in found.values() for path in paths[:1]]
    if len(there) != 1:
        reason = f"labels of several kinds ({', '.join(there)}); keep one" if there else "no labels"
        raise SriqaError(f"{root}: {reason} of sriqa-bench; looked for {', '.join(kinds)}")
    labels: dict[str, float] = {}
    for path in found["MOS/*.csv"]:
        for name, mos in read_list(path).items():
            _add(labels, path, name, mos)
    for path in found["sriqa_bench.afine*.txt"]:
        for name, _, score in _lines(path, ","):
            _add(labels, path, name, 100 - score)
    for path in found["sriqa_bench.vqr1*.txt"]:
        for _, name, score in _lines(path, None):
            _add(labels, path, name, score)
    return labels


def _add(labels: dict[str, float], path: Path, name: str, mos: float) -> None:
    if name in labels:
        raise SriqaError(f"{path}: {name!r} is named twice")
    labels[name] = mos


def _lines(path: Path, separator: str | None) -> Iterator[tuple[str, str, float]]:
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split(separator)
        if len(fields) != 3:
            raise SriqaError(f"{path}: line {number}: {line!r} is not two names and a score")
        yield fields[0], fields[1], number_of(path, number, {"score": fields[2]}, "score")


def _place(root: Path, name: str) -> Path:
    """Where the image is; where it would be in the owners' layout if it is nowhere."""
    method = Path(name).stem.rpartition("_")[2]
    owners = root / method / name
    places = [owners, *(root / folder / name for folder in _FOLDERS)]
    places += [root / "TestImages" / method / name]
    return next((place for place in places if place.is_file()), owners)


def _groups(root: Path, methods: list[str]) -> tuple[dict[str, str], str]:
    source = root / "groups.csv"
    if source.is_file():
        given = read_table(source, ("method", "group"))
        groups = {row["method"].removesuffix("x4"): row["group"] for _, row in given}
        unknown = sorted(groups.keys() - set(methods))
        if unknown:
            raise SriqaError(f"{source}: no labels of the method {unknown[0]!r}")
        return groups, f"sriqa-bench: groups of methods from {source}"
    sr = [method for method in sorted(set(methods)) if method != ORIGINAL]
    groups = {m: "regression" if m in REGRESSION else "generation" for m in sr}
    named = ", ".join(REGRESSION)
    return groups, f"sriqa-bench: regression-based are {named}; groups.csv in ROOT can say others"
