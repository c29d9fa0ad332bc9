"""`sriqa_clip` with a visual tower of one narrow layer, and a whole CLIP of it on a Hub."""

from __future__ import annotations

import importlib

import torch
from huggingface_hub import constants
from safetensors.torch import save
from torch import Tensor

from sriqa_metric.crops import CropPolicy
from sriqa_metric.hub import HubFile
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models import clip as clip_module
from tests.hub_server import Hub, Repo, sha256_of
from tests.random_weights import random_metric

REPO, FILE = "org/clip", "open_clip_model.safetensors"
VISION = {"image_size": 224, "patch_size": 32, "layers": 1, "width": 64, "head_width": 32}
TEXT = {"context_length": 77, "vocab_size": 100, "width": 32, "heads": 2, "layers": 1}
OURS = "quality_model.visual."


def use_tiny_tower() -> None:
    """Let every sriqa_clip of this process be made with the narrow tower."""

    from open_clip.transformer import QuickGELU, VisionTransformer

    def tower() -> torch.nn.Module:
        sizes = {"width": VISION["width"], "layers": 1, "heads": 2, "mlp_ratio": 4.0}
        return VisionTransformer(224, 32, output_dim=512, act_layer=QuickGELU, **sizes)

    clip_module._visual_tower = tower


def clip_tensors() -> dict[str, Tensor]:
    """A whole CLIP, with both towers and the names that open_clip gives them; always the same."""
    import open_clip

    with torch.random.fork_rng():
        torch.manual_seed(2)
        clip = open_clip.CLIP(512, VISION, TEXT, quick_gelu=True)
    return {name: tensor.contiguous() for name, tensor in clip.state_dict().items()}


def clip_metric(tensors: dict[str, Tensor]) -> CalibratedMetric:
    """The metric whose encoder is that CLIP's; the rest is random."""
    metric = random_metric("sriqa_clip", CropPolicy(number=1))
    visual = {name: tensor for name, tensor in tensors.items() if name.startswith("visual.")}
    metric.quality_model.visual.load_state_dict(
        {name.removeprefix("visual."): tensor for name, tensor in visual.items()}
    )
    return metric


def serve(hub: Hub, tensors: dict[str, Tensor]) -> HubFile:
    """Put a CLIP on the Hub; what a thin file should say of it."""
    data = save(tensors)
    hub.repos[REPO] = Repo({FILE: data})
    return HubFile(REPO, hub.repos[REPO].commit, FILE, sha256_of(data))


def client_at(hub: Hub, cache: object, monkeypatch) -> None:
    """Let this process's client fetch there, into a cache of its own."""
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    for module in (constants, importlib.import_module("huggingface_hub.file_download")):
        monkeypatch.setattr(module, "ENDPOINT", hub.url, raising=False)
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(module, "HF_HUB_CACHE", str(cache), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "")
