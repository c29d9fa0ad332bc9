"""The files that a run is made from, by which a resumed run knows that they are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ...files import image_digest
from ..config import RunConfig
from ..data.splits import Data, ranking_file


def run_inputs(config: RunConfig, data: Data, base: str = "") -> dict[str, str]:
    """What identifies each input of a run: SHA-256 of its contents.

    Parameters
    ----------
    config : RunConfig
    data : Data
    base : str
        Weights id of the metric that is calibrated; of stage 1, none.

    Returns
    -------
    dict
        File, or what else it is -> SHA-256. Labels are one entry of each set: they are read from
        files of many forms.
    """
    files: list[Path] = [ranking_file(config), *data.full.paths.values()]
    files += [*data.photos, *data.held_photos]
    for folder, more in zip(config.data.more_sr, data.more, strict=True):
        files += [Path(folder, "ranking.csv"), *more.paths.values()]
    found = {f"base {config.base}": base} if base else {}
    if not base and config.initial and Path(config.initial).is_file():
        files.append(Path(config.initial))
    for labelled in data.labelled:
        files += labelled.paths
        rows = (map(str, labelled.paths), map(float.hex, labelled.mos.tolist()), labelled.splits)
        found[f"labels of {labelled.name}"] = _digest(line for row in rows for line in row)
    return found | {str(path): image_digest(path) for path in files}


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
