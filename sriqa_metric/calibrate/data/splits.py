"""What a run trains on and what it keeps out, and how that is told in its files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SriqaError
from ...names import counted
from ..config import RunConfig
from .fingerprints import fingerprint
from .mos_sets import LabelledImages, read_labelled, require_images, split_by_content
from .sr_results import SRResults, find_images, read_sr_results

_TRAINING, _VALIDATION = "training", "validation"


@dataclass(frozen=True)
class Data:
    """What a run trains on and what it keeps out.

    Parameters
    ----------
    train : SRResults
        Methods and contents that are trained on.
    full : SRResults
        All of them.
    held_contents : tuple of str
        Contents that are not trained on.
    photos, held_photos : list of Path
        Pristine photos; both empty where the run has none.
    labelled : tuple of LabelledImages
        Sets with MOS, each with its splits.
    more : tuple of SRResults
        What else stage 1 takes groups from: none of `held_contents` is among theirs.
    """

    train: SRResults
    full: SRResults
    held_contents: tuple[str, ...]
    photos: list[Path]
    held_photos: list[Path]
    labelled: tuple[LabelledImages, ...]
    more: tuple[SRResults, ...] = ()

    def held(self, methods: Sequence[str]) -> SRResults:
        """The held-out contents of some methods, in the order of the full ranking."""
        return _selected(self.full, methods, self.held_contents)

    @property
    def labelled_training(self) -> list[LabelledImages]:
        """The parts of the labelled sets that are trained on."""
        return [labelled.part(_TRAINING) for labelled in self.labelled]

    @property
    def labelled_validation(self) -> list[LabelledImages]:
        """The parts of the labelled sets by which checkpoints are chosen."""
        return [labelled.part(_VALIDATION) for labelled in self.labelled]


def read_data(config: RunConfig) -> Data:
    """Read the folders of a run and split them by its seed.

    Raises
    ------
    SriqaError
        For a folder that is missing or incomplete, and for held-out numbers that leave too little.
    """
    if not config.data.sr:
        raise SriqaError("data.sr is not set; add --set data.sr=DIR")
    full = _sr_results(config, config.data.sr, ranking_file(config))
    photos = find_images(Path(config.data.photos)) if config.data.photos else []
    held = config.validation
    unknown = sorted(set(held.methods) - set(full.methods))
    option, known = "validation.methods (--holdout-methods)", ", ".join(full.methods)
    if unknown:
        raise SriqaError(f"{option}: no method {', '.join(unknown)}; there are {known}")
    if len(full.methods) - len(held.methods) < 2:
        raise SriqaError(f"{option}: fewer than two of {known} are left to train on")
    counts = [("contents", held.contents, len(full.contents))]
    counts += [("photos", held.photos, len(photos))] if photos else []
    for name, wanted, there in counts:
        if not 1 <= wanted < there:
            raise SriqaError(f"validation.{name} is {wanted}; there are {there}, hold some out")
    rng = np.random.default_rng(config.seed)
    order = rng.permutation(len(full.contents))
    held_contents = tuple(sorted(full.contents[i] for i in order[: held.contents]))
    photo_order = rng.permutation(len(photos))
    methods = [name for name in full.methods if name not in held.methods]
    contents = [name for name in full.contents if name not in held_contents]
    return Data(
        train=_selected(full, methods, contents),
        full=full,
        held_contents=held_contents,
        photos=[photos[i] for i in sorted(photo_order[held.photos :])],
        held_photos=[photos[i] for i in sorted(photo_order[: held.photos])],
        labelled=tuple(_labelled(given, config.seed) for given in config.data.labelled),
        more=tuple(_more(config, folder, held_contents) for folder in config.data.more_sr),
    )


def _sr_results(config: RunConfig, folder: str, ranking: Path) -> SRResults:
    return read_sr_results(
        Path(folder),
        ranking,
        [Path(excluded) for excluded in config.data.exclude],
        config.data.skip_incomplete,
        config.data.skip_missing,
    )


def _more(config: RunConfig, folder: str, held_contents: Sequence[str]) -> SRResults:
    """SR results that are trained on without what is held out."""
    found = _sr_results(config, folder, Path(folder, "ranking.csv"))
    methods = [name for name in found.methods if name not in config.validation.methods]
    contents = [name for name in found.contents if name not in held_contents]
    if len(methods) < 2 or not contents:
        raise SriqaError(
            f"data.more_sr: {folder}: without what is held out of data.sr, "
            f"{counted(len(methods), 'method')} and {counted(len(contents), 'content')} are left"
        )
    return _selected(found, methods, contents)


def _labelled(given: str, seed: int) -> LabelledImages:
    """A set `KIND=DIR`, split as published; what is published as training, or all, by content."""
    kind, equals, root = given.partition("=")
    if not equals:
        raise SriqaError(f"data.labelled (--labelled): {given!r} is not KIND=DIR")
    labelled = read_labelled(kind, Path(root))
    if labelled.splits:  # whatever is published as a test is kept out
        labelled = labelled.select(np.isin(labelled.splits, (_TRAINING, _VALIDATION)))
        if _TRAINING not in labelled.splits:
            raise SriqaError(f"data.labelled: {given!r} publishes splits, but none {_TRAINING!r}")
    require_images(labelled.name, labelled.paths)
    if _VALIDATION in labelled.splits:
        return labelled
    return split_by_content(labelled, {_TRAINING: 0.9, _VALIDATION: 0.1}, seed)


def ranking_file(config: RunConfig) -> Path:
    """The ranking that a run learns from."""
    return Path(config.data.ranking) if config.data.ranking else Path(config.data.sr, "ranking.csv")


def _selected(sr: SRResults, methods: Sequence[str], contents: Sequence[str]) -> SRResults:
    keep = [index for index, name in enumerate(sr.methods) if name in methods]
    return SRResults(
        tuple(sr.methods[i] for i in keep),
        tuple(contents),
        sr.mu[keep],
        {(sr.methods[i], c): sr.paths[sr.methods[i], c] for i in keep for c in contents},
        sr.left_out,
    )


def record(config: RunConfig, data: Data) -> dict[str, Any]:
    """What the weights file says of the data that it was made from: plain JSON values."""
    found: dict[str, Any] = {
        "sr_results": f"{len(data.train.methods)} methods x {len(data.train.contents)}",
        "methods": list(data.train.methods),
        "ranking": dict(zip(data.full.methods, data.full.mu.tolist(), strict=True)),
        "ranking_sha256": fingerprint([ranking_file(config)]),
        "sr_sha256": fingerprint([data.train.paths[key] for key in sorted(data.train.paths)]),
    }
    if data.more:
        found["more_sr"] = [
            {
                "ranking": dict(zip(more.methods, more.mu.tolist(), strict=True)),
                "contents": len(more.contents),
                "sha256": fingerprint([more.paths[key] for key in sorted(more.paths)]),
            }
            for more in data.more
        ]
    if data.photos:
        found |= {"photos": len(data.photos), "photos_sha256": fingerprint(data.photos)}
    for labelled in data.labelled_training:
        found[labelled.name] = {
            "images": len(labelled.paths),
            "sha256": fingerprint(labelled.paths),
            "mos_sha256": hashlib.sha256(labelled.mos.astype("<f8").tobytes()).hexdigest(),
        }
    return found
