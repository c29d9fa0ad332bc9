"""Checkpoints that authors publish -> weights files. Scoring never comes here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..crops import CropPolicy
from ..errors import SriqaError
from ..files import sha256_of
from ..metric import CalibratedMetric
from ..models.clip import ClipQualityModel
from ..models.published import published_state
from ..models.rectifier import Rectifier
from ..registry import find_spec
from .checkpoints import WAY_OUT, read_checkpoint
from .format import save_weights
from .tensors import check_tensors

IDENTITY = "identity: calibrated scores equal the quality model's"
_CLIP = "ViT-B-32-quickgelu"  # open_clip's name of the network
_RECTIFIER = "rectif"  # in the name of whatever belongs to a rectifier
# What OpenAI stores of CLIP beside its tensors.
_SIZES = ("input_resolution", "context_length", "vocab_size")


def convert(
    checkpoint: Path, metric: str, output: Path, training_data: str, license: str
) -> list[str]:
    """Write the quality model of a checkpoint as a weights file, with the identity as rectifier.

    A rectifier in the checkpoint is left out: the authors' released script trains it on features
    of another network (MANIQA), so it fits no metric here.

    Parameters
    ----------
    checkpoint : Path
        A file of torch.save: name -> tensor, perhaps under `model_state_dict` or `params`,
        perhaps with the prefix `module.`. Of sriqa_clip, a whole CLIP named as OpenAI names it;
        of sriqa_dbcnn and sriqa_hyperiqa, named as pyiqa publishes them.
    metric : str
        sriqa_clip, sriqa_dbcnn or sriqa_hyperiqa.
    output : Path
        Weights file to write. The same checkpoint gives the same bytes.
    training_data, license : str
        What the checkpoint was trained on and may be used for, told in the file.

    Returns
    -------
    list of str
        Names of what was left out as a rectifier.

    Raises
    ------
    SriqaError
        If the checkpoint cannot be read, holds something else than tensors, is of another
        network, which names a tensor, or does not fit float16; or if the file cannot be written.
    """
    spec = find_spec(metric)
    tensors, left_out = _tensors(read_checkpoint(checkpoint), checkpoint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # networks start at random, and half of the rectifier stays so
        model = _clip(tensors, checkpoint) if metric == "sriqa_clip" else spec.build()
        rectifier = Rectifier(model.feature_dim)
    if metric != "sriqa_clip":
        _fill(cast(nn.Module, model), tensors, checkpoint)
    record = {
        "training_data": training_data,
        "license": license,
        "rectifier": IDENTITY,
        "converted_from": {"file": checkpoint.name, "sha256": sha256_of(checkpoint)},
    }
    save_weights(output, CalibratedMetric(metric, model, rectifier, CropPolicy()), record)
    return left_out


def _tensors(checkpoint: Any, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of the quality model, in float32, and names of what belongs to a rectifier."""
    inside = checkpoint
    if isinstance(checkpoint, Mapping):
        inside = checkpoint.get("model_state_dict", checkpoint.get("params", checkpoint))
    if not isinstance(inside, Mapping):
        raise SriqaError(f"{path}: holds a {type(inside).__name__}, no named tensors; {WAY_OUT}")
    kept = {}
    for name, value in inside.items():
        name = str(name).removeprefix("module.")
        if _RECTIFIER in name.lower() or name in _SIZES:
            continue
        if not isinstance(value, Tensor):
            raise SriqaError(f"{path}: {name!r} is a {type(value).__name__}, no tensor")
        if not _is_plain(value) and not name.endswith(".num_batches_tracked"):
            raise SriqaError(f"{path}: tensor {name!r} is no plain tensor of floats")
        kept[name] = value
    left_out = [name for name in {**checkpoint, **inside} if _RECTIFIER in str(name).lower()]
    return published_state(kept), left_out


def _is_plain(tensor: Tensor) -> bool:
    """Whether it is dense, of floats, and has every one of its values in the file."""
    if tensor.is_meta or tensor.layout is not torch.strided or not tensor.is_floating_point():
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def _fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    check_tensors(tensors, network.state_dict(), path)
    network.load_state_dict(tensors)


def _clip(tensors: dict[str, Tensor], path: Path) -> ClipQualityModel:
    """Quality model of a whole CLIP; the prompts go through its text tower."""
    try:
        import open_clip
    except ModuleNotFoundError as error:
        raise SriqaError(
            f"converting a CLIP needs open_clip, but there is no module {error.name!r}; "
            "pip install 'sriqa-metric[clip]'"
        ) from None
    clip = open_clip.CLIP(**open_clip.get_model_config(_CLIP))
    _fill(clip, tensors, path)
    return ClipQualityModel.from_open_clip(clip.eval(), open_clip.get_tokenizer(_CLIP))
