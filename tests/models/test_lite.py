import pytest
import timm
import torch

from sriqa_metric.calibrate.training.pretrained import imagenet_encoder, imagenet_file
from sriqa_metric.models.lite import LiteEncoder, LiteQualityModel


@pytest.fixture(scope="module")
def encoder() -> LiteEncoder:
    return imagenet_encoder().eval()


@pytest.fixture(scope="module")
def reference() -> torch.nn.Module:
    """timm's network with the same checkpoint, batch norms and all."""
    network = timm.create_model("efficientnet_lite0", bn_eps=1e-3)
    state = torch.load(imagenet_file(), weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    return network.eval()


def test_maps_equal_timms(encoder, reference):
    crops = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        ours = encoder.maps(crops)
        theirs = reference.forward_intermediates(crops * 2 - 1, intermediates_only=True)
    assert len(ours) == len(theirs) == 5
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() <= 2e-5 * b.abs().max()


def test_statistics_are_mean_and_deviation_of_each_map(encoder):
    crops = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        maps, found = encoder.maps(crops), encoder(crops)
    expected = [part for x in maps for part in (x.mean((2, 3)), x.std((2, 3), correction=0))]
    assert found.shape == (2, 1024)
    assert torch.allclose(found, torch.cat(expected, 1), atol=2e-4)


def test_flat_image_has_finite_gradient(encoder):
    crops = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
    encoder(crops).sum().backward()
    assert crops.grad is not None
    assert crops.grad.isfinite().all()


def test_score_of_an_image_reads_the_mean_of_its_crops():
    model = LiteQualityModel().eval()
    with torch.no_grad():
        codes = model.encode(torch.rand(4, 3, 64, 64))
        quality, features = model.read(codes.mean(0, keepdim=True))
    assert quality.shape == (1,)
    assert torch.equal(features, codes.mean(0, keepdim=True))


@pytest.fixture
def head() -> LiteQualityModel:
    model = LiteQualityModel().double().eval()
    torch.nn.init.normal_(model.out.weight, std=2)
    return model


def test_quality_is_the_mean_of_five_levels_where_no_ratings_say_otherwise(head):
    codes = torch.randn(50, 1024, dtype=torch.float64)
    quality, _ = head.read(codes)
    logits = head.out(torch.relu(head.hidden(codes)))
    levels = (logits.softmax(-1) * torch.arange(1.0, 6)).sum(-1)
    assert torch.allclose(quality, levels, atol=1e-9)


def test_the_scale_of_ratings_changes_no_order(head):
    codes = torch.randn(200, 1024, dtype=torch.float64)
    before, _ = head.read(codes)
    head.rating.copy_(torch.tensor([0.7, 0.9]))
    after, _ = head.read(codes)
    assert torch.equal(before.argsort(), after.argsort())
    assert 1 <= after.min() < after.max() <= 5
    expected = 1 + 4 * torch.special.expit(0.7 + 0.9 * torch.log((before - 1) / (5 - before)))
    assert torch.allclose(after, expected, atol=1e-6)


@pytest.mark.parametrize("level", [0, 4])
def test_an_image_at_the_end_of_the_scale_has_a_finite_gradient(head, level):
    head.out.bias.data[level] = 1e4
    codes = torch.randn(2, 1024, dtype=torch.float64, requires_grad=True)
    quality, _ = head.read(codes)
    quality.sum().backward()
    assert codes.grad.isfinite().all()
    assert quality.tolist() == pytest.approx([1 + level] * 2, abs=1e-5)
