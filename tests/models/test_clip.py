"""The reference is the CLIP of transformers, with both towers, given the same random weights."""

import math
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch

from sriqa_metric.crops import CropPolicy, read_crops
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.clip import PROMPTS, ClipQualityModel, text_embeddings
from sriqa_metric.models.rectifier import Rectifier

open_clip = pytest.importorskip("open_clip")

VISION = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}
# The text tower only has to be one; a small one is quick.
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
# transformers' names of what open_clip calls otherwise, within either tower
RENAMED = {
    "transformer.resblocks.": "encoder.layers.",
    ".ln_1.": ".layer_norm1.",
    ".ln_2.": ".layer_norm2.",
    ".attn.": ".self_attn.",
    ".mlp.c_fc.": ".mlp.fc1.",
    ".mlp.c_proj.": ".mlp.fc2.",
    "ln_pre.": "pre_layrnorm.",
    "ln_post.": "post_layernorm.",
    "ln_final.": "final_layer_norm.",
    "conv1.": "embeddings.patch_embedding.",
    "class_embedding": "embeddings.class_embedding",
    "token_embedding.": "embeddings.token_embedding.",
    "positional_embedding": "embeddings.position_embedding.weight",
}


def make_clip(quick_gelu: bool = True, layers: int = 12) -> torch.nn.Module:
    torch.manual_seed(0)
    clip = open_clip.CLIP(512, VISION | {"layers": layers}, TEXT, quick_gelu=quick_gelu)
    clip.logit_scale.data.fill_(math.log(100))
    return clip.eval()


@pytest.fixture(scope="module")
def clip() -> torch.nn.Module:
    """A whole CLIP with random weights, as open_clip builds it."""
    return make_clip()


@pytest.fixture(scope="module")
def tokenizer():
    return open_clip.get_tokenizer("ViT-B-32-quickgelu")


@pytest.fixture(scope="module")
def model(clip, tokenizer) -> ClipQualityModel:
    return ClipQualityModel.from_open_clip(clip, tokenizer).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def codes(model, crops) -> torch.Tensor:
    return model.encode(crops)


@pytest.fixture(scope="module")
def reference(clip) -> torch.nn.Module:
    transformers = pytest.importorskip("transformers")
    width, heads, layers = TEXT["width"], TEXT["heads"], TEXT["layers"]
    config = transformers.CLIPConfig(
        text_config={
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_attention_heads": heads,
            "num_hidden_layers": layers,
        },
        projection_dim=512,
    )
    network = transformers.CLIPModel(config).eval()
    network.load_state_dict(as_transformers_names_it(clip.state_dict()))
    return network


def as_transformers_names_it(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    renamed = {
        "logit_scale": state.pop("logit_scale"),
        "visual_projection.weight": state.pop("visual.proj").T,
        "text_projection.weight": state.pop("text_projection").T,
    }
    for name, value in state.items():
        tower = "vision_model." if name.startswith("visual.") else "text_model."
        rest = name.removeprefix("visual.")
        for ours, theirs in RENAMED.items():
            rest = rest.replace(ours, theirs)
        if ".in_proj_" in rest:
            for letter, part in zip("qkv", value.chunk(3), strict=True):
                renamed[tower + rest.replace("in_proj_", f"{letter}_proj.")] = part
        else:
            renamed[tower + rest] = value
    return renamed


class Reference(NamedTuple):
    """What transformers' CLIP says of crops: logits (M, 5) and embeddings (M, 512)."""

    logits: torch.Tensor
    embeddings: torch.Tensor


@pytest.fixture(scope="module")
def ask(reference, tokenizer) -> Callable[[torch.Tensor], Reference]:
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1)
    levels = ("bad", "poor", "fair", "good", "perfect")
    tokens = tokenizer([f"a photo with {level} quality" for level in levels])

    @torch.no_grad()
    def answer(crops: torch.Tensor) -> Reference:
        embeddings = []
        projection = reference.visual_projection
        hook = projection.register_forward_hook(lambda *call: embeddings.append(call[-1]))
        found = reference(input_ids=tokens, pixel_values=(crops - mean) / std)
        hook.remove()
        return Reference(found.logits_per_image, embeddings[0])

    return answer


def expected_level(logits: torch.Tensor) -> torch.Tensor:
    probabilities = torch.softmax(logits.double(), -1)
    return sum((c + 1) * probabilities[..., c] for c in range(5))


def test_each_crop_is_scored_as_by_transformers(model, ask, crops, codes):
    expected = ask(crops)
    levels = expected_level(expected.logits)
    assert levels.max() - levels.min() > 0.01  # else the comparison would say little
    quality, features = model.read(codes)
    assert (quality - levels).abs().max() <= 1e-5
    assert features.shape == (3, model.feature_dim) == (3, 512)
    # as they leave the visual tower, not of unit length
    difference = (features - expected.embeddings).abs().max()
    assert difference <= 1e-5 * expected.embeddings.abs().max()


def test_metric_averages_logits_before_the_softmax(model, ask, picture):
    image = picture.float() / 255
    policy = CropPolicy(number=2)
    expected = expected_level(ask(read_crops(image, policy)).logits.mean(0)).item()
    metric = CalibratedMetric("sriqa_clip", model, Rectifier(512), policy)
    score = metric(image[None])  # an untrained rectifier changes nothing
    assert score.shape == (1, 1)
    assert abs(score.item() - expected) <= 1e-5


def test_score_spans_one_to_five(model):
    logits = torch.eye(5) * 1000
    quality, _ = model.read(torch.cat([logits, torch.zeros(5, 512)], dim=1))
    assert torch.equal(quality, torch.arange(1.0, 6.0))


def test_scores_do_not_depend_on_the_batch(model, crops, codes):
    alone = model.encode(crops[2:])
    assert (codes[2:] - alone).abs().max() <= 1e-5 * codes.abs().max()
    assert (model.read(codes[2:])[0] - model.read(alone)[0]).abs() <= 1e-5


def test_gradient_reaches_the_image_and_no_parameter(model, crops, codes):
    metric = CalibratedMetric("sriqa_clip", model, Rectifier(512), CropPolicy())
    image = crops[:1].clone().requires_grad_()
    score = metric(image)
    score.backward()
    assert image.grad.isfinite().all()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in metric.parameters())
    # torch takes another path through attention where no gradient is asked for
    assert abs(score.item() - model.read(codes[:1])[0].item()) <= 1e-5


@pytest.mark.usefixtures("no_network")
def test_building_asks_for_no_network_and_no_text_tower():
    names = ClipQualityModel().state_dict().keys()
    assert {name.split(".")[0] for name in names} == {"visual", "text", "logit_scale"}


def test_weights_can_be_assigned_to_a_model_without_any(model, crops, codes):
    with torch.device("meta"):
        empty = ClipQualityModel().eval().requires_grad_(False)
    empty.load_state_dict(model.state_dict(), assign=True)
    assert torch.equal(empty.encode(crops), codes)
    assert all(tensor.is_floating_point() for tensor in model.state_dict().values())


def test_text_embeddings_are_unit_vectors_of_the_prompts(clip, tokenizer, model):
    found = text_embeddings(clip, tokenizer)
    assert PROMPTS[0] == "a photo with bad quality"
    assert found.shape == (5, 512)
    assert torch.allclose(found.norm(dim=1), torch.ones(5))
    assert torch.equal(found, model.text)


def test_crops_of_another_size_are_refused(model):
    with pytest.raises(SriqaError, match="224x224 pixels, got 96x128"):
        model.encode(torch.rand(1, 3, 96, 128))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quick_gelu": False}, "QuickGELU, not GELU"),
        ({"layers": 2}, r"visual\.transformer\S+ has shape None, not \(2304,\)"),
    ],
)
def test_another_clip_is_refused(change, message, tokenizer):
    with pytest.raises(SriqaError, match=message):
        ClipQualityModel.from_open_clip(make_clip(**{"layers": 1} | change), tokenizer)


def test_missing_open_clip_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip.transformer", None)
    with pytest.raises(SriqaError, match=r"pip install 'sriqa-metric\[clip\]'"):
        ClipQualityModel()
