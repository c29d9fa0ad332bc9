"""Whatever gives scores: our metrics, pyiqa's no-reference metrics, and files of scores."""

from __future__ import annotations

import difflib
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec as find_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...errors import SriqaError
from ...files import listed, sha256_of
from ...registry import CATALOG
from ..data.csv_files import number_of, read_table
from .data_sets import DataSet

UNCALIBRATED = ":uncalibrated"
_OF_SETS = ("fid", "sfid", "fid_dinov2", "inception_score")  # listed as no-reference by pyiqa


class Scorer(Protocol):
    """A metric that reads images."""

    @property
    def name(self) -> str:
        """As in tables."""

    @property
    def weights_id(self) -> str:
        """What the scores depend on besides the image."""

    def score(self, paths: Iterable[Path]) -> Iterator[float | SriqaError]:
        """For every image, in order, its score (higher is better) or why it has none."""


def make_scorer(name: str, device: str = "cpu") -> Scorer:
    """A metric by name.

    Parameters
    ----------
    name : str
        From the registry or a weights file (*.safetensors), also with `:uncalibrated` for its
        quality model without rectifier, or a no-reference metric of pyiqa.
    device : str

    Raises
    ------
    SriqaError
        For an unknown name, a metric that needs a reference or a set of images, and one that
        cannot be made here.
    """
    ours = name.removesuffix(UNCALIBRATED)
    if ours in CATALOG or ours.endswith(".safetensors"):
        return OurScorer(name, device)
    return PyiqaScorer(name, device)


class OurScorer:
    """A metric of ours, scored as `sriqa-score` does."""

    def __init__(self, name: str, device: str) -> None:
        from ...weights.load import load_source

        self.name = name
        self._metric = load_source(name.removesuffix(UNCALIBRATED), device)
        self.weights_id = self._metric.weights_id
        if name.endswith(UNCALIBRATED):
            self._metric.rectifier = None
            self.weights_id += UNCALIBRATED

    def score(self, paths: Iterable[Path]) -> Iterator[float | SriqaError]:
        from ...scoring import score_stream

        return score_stream(self._metric, paths)


class PyiqaScorer:
    """A no-reference metric of pyiqa, which is given one image at a time as RGB in [0, 1].

    Images are decoded by `images.to_tensor`, as for ours. Where lower is better the sign is
    turned. pyiqa does not tell which weights it has: the weights id is its version and the name.
    """

    def __init__(self, name: str, device: str) -> None:
        if find_module("pyiqa") is None:
            raise SriqaError(
                f"unknown metric {name!r}; known: {', '.join(CATALOG)}, and with "
                "pip install 'sriqa-metric[pyiqa]' the no-reference metrics of pyiqa"
            )
        import pyiqa
        from pyiqa.default_model_configs import DEFAULT_CONFIGS

        from ...weights.load import find_device

        self._device = find_device(device)
        _check_no_reference(name, DEFAULT_CONFIGS)
        self.name = name
        self.weights_id = f"pyiqa {pyiqa.__version__} {name}"
        try:
            # What it prints while it loads is no score.
            with redirect_stdout(sys.stderr):
                self._metric = pyiqa.create_metric(name, device=self._device)
        except Exception as error:  # downloads and unpickling raise anything
            raise SriqaError(
                f"pyiqa's {name!r} cannot be made here: {_reason(error)}; score the images where "
                "it can be made, and give the scores with --scores FILE.csv"
            ) from error
        self._sign = -1 if self._metric.lower_better else 1

    def score(self, paths: Iterable[Path]) -> Iterator[float | SriqaError]:
        from ...images import as_float, to_tensor

        for path in paths:
            try:
                image = as_float(to_tensor(path))[None].to(self._device)
                yield self._sign * float(self._metric(image))
            except SriqaError as error:
                yield error
            except Exception as error:  # its metrics raise anything on images they cannot take
                yield SriqaError(f"{path}: {self.name} has no score: {_reason(error)}")


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _check_no_reference(name: str, configs: dict[str, dict[str, Any]]) -> None:
    if name not in configs:
        near = difflib.get_close_matches(name, [*CATALOG, *configs], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"ours: {', '.join(CATALOG)}"
        raise SriqaError(f"unknown metric {name!r}; {hint} (pyiqa's: pyiqa --list_metrics)")
    if configs[name].get("metric_mode") != "NR":
        raise SriqaError(f"pyiqa's {name!r} needs a reference; only no-reference metrics fit")
    if name in _OF_SETS:
        raise SriqaError(f"pyiqa's {name!r} scores sets of images, not single ones")


class ScoreTable:
    """Scores made elsewhere: CSV with columns path, score and optionally metric.

    Higher is better. Paths are relative to the data set's folder, or absolute; a bare file name
    stands for the image of that name where there is only one.

    Parameters
    ----------
    name : str
        Of the metric: the column `metric`, without one the file's name.
    weights_id : str
        `file sha256:` and the first 12 digits of the file's SHA-256.
    scores : dict
        Path as in the file -> score.
    """

    def __init__(self, name: str, weights_id: str, scores: dict[str, float]) -> None:
        self.name = name
        self.weights_id = weights_id
        self.scores = scores

    def scores_of(self, data_set: DataSet) -> np.ndarray:
        """Scores in the order of the data set's paths.

        Raises
        ------
        SriqaError
            If images have no score; they are counted and named.
        """
        names = [path.name for path in data_set.paths]
        twice = {n for n in names if names.count(n) > 1} if len(set(names)) < len(names) else set()
        found: list[float] = []
        missing = []
        for path in data_set.paths:
            keys = [
                Path(os.path.relpath(path, data_set.root)).as_posix(),
                path.absolute().as_posix(),
            ]
            if data_set.same_name_same_image or path.name not in twice:
                keys.append(path.name)
            score = next((self.scores[key] for key in keys if key in self.scores), math.nan)
            found.append(score)
            if math.isnan(score):
                missing.append(keys[0])
        if missing:
            raise SriqaError(
                f"{self.name}: no score of {len(missing)} of {len(names)} images of "
                f"{data_set.name}: {listed(missing)}"
            )
        return np.array(found)


def read_score_tables(path: Path) -> list[ScoreTable]:
    """Read a file of scores, one table for each metric in it.

    Raises
    ------
    SriqaError
        For a file that cannot be read, a missing column or field, a score that is no number, or
        an image scored twice by one metric.
    """
    metrics: dict[str, dict[str, float]] = {}
    for line, row in read_table(path, ("path", "score")):
        scores = metrics.setdefault(row.get("metric") or path.stem, {})
        key = row["path"].replace("\\", "/").removeprefix("./")
        if key in scores:
            raise SriqaError(f"{path}: line {line}: {key!r} is scored twice")
        scores[key] = number_of(path, line, row, "score")
    if not metrics:
        raise SriqaError(f"{path}: no scores, only a header")
    weights_id = f"file sha256:{sha256_of(path)[:12]}"
    return [ScoreTable(name, weights_id, scores) for name, scores in metrics.items()]
