"""Odd and hostile image files, which the policy of decoding is tested with.

``python -m tests.hostile FOLDER`` writes them to look at.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from sriqa_metric.errors import ImageError
from sriqa_metric.images import read_image

from . import damage, depths, formats, places
from .case import CUT, Case

CASES: dict[str, Case] = {
    case.name: case for part in (formats, depths, damage, places) for case in part.CASES
}
READABLE = [name for name, case in CASES.items() if case.ok and not case.big]


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def path_of(name: str) -> Path:
    """The file of a case, made when it is first asked for."""
    return CASES[name].put(_folder())


def pixels(image: torch.Tensor) -> np.ndarray:
    """(3, H, W) -> (H, W, 3)."""
    return image.permute(1, 2, 0).numpy()


def check(name: str) -> None:
    """Read the file of a case and compare with what it must give."""
    case, path = CASES[name], path_of(name)
    if not case.ok:
        with pytest.raises(ImageError) as caught:
            read_image(path)
        message = str(caught.value)
        quoted = str(path) if "\0" not in str(path) else repr(str(path))
        assert message.startswith(quoted + ": ")
        assert any(error in message[len(quoted) :] for error in case.errors), message
        if CUT in message:
            assert message.endswith("; copy or save it again from its source")
        return
    image = read_image(path)
    assert image.dtype in (torch.uint8, torch.float32)
    assert image.ndim == 3
    assert image.shape[0] == 3
    expect = case.pixels
    if expect is None:
        assert tuple(image.shape[1:]) == case.shape
    else:
        assert (image.dtype == torch.uint8) == (expect.dtype == np.uint8)
        tolerance = 0 if expect.dtype == np.uint8 else 1e-6
        np.testing.assert_allclose(pixels(image), expect, rtol=0, atol=tolerance)
