"""Thin weights files: `sriqa_clip` without its encoder, which stays where others publish it.

The description's `encoder_file` names a safetensors file on the Hub by repository, full commit,
name and SHA-256, with tensors named as open_clip names CLIP's. Only its visual tower is read. The
weights file and that one together are whole or not used at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from ..files import sha256_of
from ..hub import HubFile
from ..registry import fetch_weights
from .tensors import read_tensors

if TYPE_CHECKING:
    from torch import Tensor

KEY = "encoder_file"
METRIC = "sriqa_clip"
_OURS, _THEIRS = "quality_model.visual.", "visual."  # how tensors of the encoder are named
_FORM = {
    "repo": (r"[\w.-]+/[\w.-]+", "org/name"),
    "revision": ("[0-9a-f]{40}", "a full commit, 40 hex digits"),
    "file": (r"(?!.*\.\.)\w[\w./-]*\.safetensors", "the name of a safetensors file"),
    "sha256": ("[0-9a-f]{64}", "64 hex digits"),
}


def parse_encoder(text: str) -> HubFile:
    """The file that `ORG/NAME@COMMIT:FILE` names, its SHA-256 not known.

    Raises
    ------
    WeightsError
        If it is written otherwise, or the commit is a branch, a tag or cut short.
    """
    repo, at, rest = text.partition("@")
    revision, colon, file = rest.partition(":")
    if not (at and colon):
        raise WeightsError(f"encoder {text!r}: expected ORG/NAME@COMMIT:FILE")
    _check({"repo": repo, "revision": revision, "file": file}, f"encoder {text!r}")
    return HubFile(repo, revision, file, sha256=None)


def encoder_file(description: Mapping[str, Any], path: Path) -> HubFile | None:
    """The file that has the encoder of a thin weights file; None where that is whole.

    Raises
    ------
    WeightsError
        If the description does not name exactly one version of a file, or is of another metric.
    """
    if KEY not in description:
        return None
    told = description[KEY]
    if description.get("metric") != METRIC:
        raise WeightsError(f"{path}: only {METRIC} can have its encoder in another file")
    if not isinstance(told, dict) or told.keys() != _FORM.keys():
        raise WeightsError(f"{path}: {KEY} must have {', '.join(_FORM)}, and nothing else")
    _check(told, f"{path}: {KEY}")
    return HubFile(**told)


def _check(told: Mapping[str, Any], where: str) -> None:
    for key, value in told.items():
        pattern, expected = _FORM[key]
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise WeightsError(f"{where}: {key} {value!r} is not {expected}")


def read_encoder(wanted: HubFile) -> dict[str, Tensor]:
    """Fetch a CLIP and read its visual tower: float32, named as in the metric."""
    path = fetch_weights(wanted)
    found = read_tensors(path, _THEIRS)
    # An unchanged file is not hashed again; one that was put in its place meanwhile is.
    if wanted.sha256 and sha256_of(path) != wanted.sha256:
        raise WeightsError(f"{path}: was replaced while it was read; run this again")
    return {_OURS + name.removeprefix(_THEIRS): tensor for name, tensor in found.items()}


def is_encoder(name: str) -> bool:
    """Whether the tensor of that name in the metric belongs to the encoder."""
    return name.startswith(_OURS)
