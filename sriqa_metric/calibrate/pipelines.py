"""The paper's calibration from beginning to end, and the calibration of anything else."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..files import write_text
from ..scorers.cache import default_cache
from ..weights.load import load_source
from .config import DataConfig, RectifierConfig, RunConfig, ValidationConfig
from .data.mos_sets import require_images
from .data.sr_results import find_images, read_sr_results
from .evaluation.data_sets import read_data_set
from .evaluation.report import write_report
from .evaluation.run import Request, evaluate
from .features.processes import require_alone
from .training.quality_runs import train_quality_model
from .training.runs import train

_STEPS = 300  # of a recalibration, however few contents there are
_IDENTITY_WEIGHT = 0.3
_LADDERS = 64  # a step


def reproduce(
    config: RunConfig, koniq: Path, pipal: Path, realsr1k: Path, output: Path, device: torch.device
) -> Path:
    """Both stages and the evaluation, in `quality/`, `rectifier/` and `evaluation.md` of a folder.

    What is finished is not done again, what was stopped goes on. Contents of RealSR-1K are left
    out of the SR results.

    Parameters
    ----------
    config : RunConfig
        A shipped one, with `data.sr` set.
    koniq, pipal, realsr1k : Path
        Folders of KonIQ-10k, PIPAL and RealSR-1K.
    output : Path
    device : torch.device

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    SriqaError
        As the stages and the evaluation do.
    """
    require_alone("what `reproduce` ends with, stage 2,")
    sets = (f"realsr1k={realsr1k}", f"koniq10k={koniq}")
    for each in sets:  # what is wrong with them is not to be told after the training
        data_set = read_data_set(each)
        require_images(data_set.name, data_set.paths)
    labelled = [f"koniq10k={koniq}", f"pipal={pipal}"]
    data = replace(config.data, labelled=labelled, exclude=[*config.data.exclude, str(realsr1k)])
    config = replace(config, data=data)
    quality, rectifier = output / "quality", output / "rectifier"
    if not (quality / "report.json").exists():
        train_quality_model(config, quality, device)
    if not (rectifier / "report.json").exists():
        base = str(quality / "weights.safetensors")
        train(replace(config, base=base), rectifier, device)
    weights = rectifier / "weights.safetensors"
    metrics = (str(weights), f"{weights}:uncalibrated")
    rows, notes = evaluate(Request(metrics, sets, default_cache(), device=str(device)))
    table = io.StringIO()
    write_report(rows, notes, "md", table)
    write_text(output / "evaluation.md", table.getvalue())
    return weights


def adapted(
    base: str,
    sr: Path,
    ranking: Path,
    photos: Path | None = None,
    exclude: Sequence[Path] = (),
    skip_incomplete: bool = False,
    labelled: Sequence[str] = (),
) -> RunConfig:
    """Settings that calibrate a metric anew for the methods of a ranking, on a CPU.

    A sixth of the contents, and of the photos, is held out. Labelled images, and certain orders
    made of results and photos, keep the metric from forgetting what it knew; so does the identity
    weight, without which tens of contents are learnt by heart.

    Parameters
    ----------
    base : str
        Weights file or name of a metric.
    sr : Path
        `<sr>/<method>/<content>.<extension>`; of any restoration, not of SR alone.
    ranking : Path
        CSV with columns `method` and `mu`; methods that `sr` lacks are left out.
    photos : Path, optional
    exclude, skip_incomplete
        Which contents are left out, see `sr_results.read_sr_results`.
    labelled : sequence of str
        Sets of images with MOS, `KIND=DIR` each.

    Raises
    ------
    SriqaError
        If the base, the results or the ranking cannot be read.
    """
    metric = load_source(base).name
    contents = len(
        read_sr_results(sr, ranking, exclude, skip_incomplete, skip_missing=True).contents
    )
    held = max(1, contents // 6)
    held_photos = max(1, len(find_images(photos)) // 6) if photos else 1
    rectifier = RectifierConfig(
        draws=0, lr=1e-4, identity_weight=_IDENTITY_WEIGHT, ladders=_LADDERS
    )
    steps = max(1, (contents - held) // rectifier.contents)
    return RunConfig(
        metric=metric,
        base=base,
        data=DataConfig(
            sr=str(sr),
            ranking=str(ranking),
            photos=str(photos or ""),
            labelled=list(labelled),
            exclude=[str(folder) for folder in exclude],
            skip_incomplete=skip_incomplete,
            skip_missing=True,
        ),
        validation=ValidationConfig(contents=held, photos=held_photos),
        rectifier=replace(rectifier, epochs=math.ceil(_STEPS / steps)),
    )
