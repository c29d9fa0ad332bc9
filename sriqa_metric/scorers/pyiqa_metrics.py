"""Metrics of pyiqa, without and with ground truth."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec as find_module
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SriqaError
from ..registry import CATALOG
from .options import Options

if TYPE_CHECKING:
    from torch import Tensor

_OF_SETS = ("fid", "sfid", "fid_dinov2", "inception_score")  # listed as no-reference by pyiqa


class PyiqaScorer:
    """A metric of pyiqa, which is given one image at a time as RGB in [0, 1].

    Images are decoded by `images.to_tensor`, as for ours. The direction is pyiqa's, and so is
    what is compared: `psnr` and `ssimc` read RGB, `psnry` and `ssim` the luma channel, and none
    leaves out a border. pyiqa does not tell which weights it has: the weights id is its version
    and the name.

    Parameters
    ----------
    name : str
    options : Options, optional
    references : bool
        Whether there is ground truth.

    Raises
    ------
    SriqaError
        For an unknown name, a metric of sets of images, one that needs ground truth where there
        is none, and one that cannot be made here.
    """

    tolerance = 0.0

    def __init__(
        self, name: str, options: Options | None = None, *, references: bool = False
    ) -> None:
        if find_module("pyiqa") is None:
            raise SriqaError(
                f"unknown metric {name!r}; known: {', '.join(CATALOG)}, and with "
                "pip install 'sriqa-metric[pyiqa]' the metrics of pyiqa"
            )
        import pyiqa
        from pyiqa.default_model_configs import DEFAULT_CONFIGS

        from ..weights.load import find_device

        self._options = options or Options()
        self._device = find_device(self._options.device)
        _check(name, DEFAULT_CONFIGS, references)
        self.name = name
        self.weights_id = f"pyiqa {pyiqa.__version__} {name}"
        self.needs_reference = _needs_reference(DEFAULT_CONFIGS[name])
        self.cached = self._options.takes_all
        try:
            # What it prints while it loads is no score.
            with redirect_stdout(sys.stderr):
                self._metric = pyiqa.create_metric(name, device=self._device)
        except Exception as error:  # downloads and unpickling raise anything
            raise SriqaError(
                f"pyiqa's {name!r} cannot be made here: {_reason(error)}; score the images where "
                "it can be made, and give the scores with --scores FILE.csv"
            ) from error
        self.higher_is_better = not self._metric.lower_better

    def score(
        self, paths: Iterable[Path], references: Sequence[Path] = ()
    ) -> Iterator[float | SriqaError]:
        reference: Path | None = None
        truth: tuple[Tensor, ...] = ()
        for path, wanted in zip_longest(paths, references):
            try:
                if wanted is not None and wanted != reference:
                    truth = (self._read(wanted),)  # once for all that follow it
                    reference = wanted
                image = self._read(path)
                _check_size(path, image, reference, truth)
                yield float(self._metric(image, *truth))
            except SriqaError as error:
                yield error
            except Exception as error:  # its metrics raise anything on images they cannot take
                yield SriqaError(f"{path}: {self.name} has no score: {_reason(error)}")

    def _read(self, path: Path) -> Tensor:
        from ..images import as_float, to_tensor

        image = to_tensor(path, max_pixels=self._options.limit)
        return as_float(image)[None].to(self._device)


def _check_size(path: Path, image: Tensor, reference: Path | None, truth: Sequence[Tensor]) -> None:
    for other in truth:
        if other.shape != image.shape:
            (height, width), (high, wide) = image.shape[2:], other.shape[2:]
            raise SriqaError(
                f"{path}: is {width}×{height}, but its ground truth {reference} {wide}×{high}; "
                "crop the ground truth to what was super-resolved"
            )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _needs_reference(config: Mapping[str, Any]) -> bool:
    return config.get("metric_mode") != "NR"


def _check(name: str, configs: Mapping[str, Mapping[str, Any]], references: bool) -> None:
    if name not in configs:
        near = difflib.get_close_matches(name, [*CATALOG, *configs], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"ours: {', '.join(CATALOG)}"
        raise SriqaError(f"unknown metric {name!r}; {hint} (pyiqa's: pyiqa --list_models)")
    if name in _OF_SETS:
        raise SriqaError(f"pyiqa's {name!r} scores sets of images, not single ones")
    if _needs_reference(configs[name]) and not references:
        raise SriqaError(
            f"pyiqa's {name!r} needs the ground truth of each image; sriqa-compare takes it with "
            "--gt DIR"
        )
