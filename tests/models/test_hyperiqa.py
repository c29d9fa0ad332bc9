"""The reference is pyiqa's HyperNet, kept from downloading, with the same random weights."""

import pytest
import timm
import torch

from sriqa_metric.crops import CropPolicy, read_crops
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.hyperiqa import HyperIQAQualityModel
from sriqa_metric.models.published import published_state
from sriqa_metric.models.rectifier import Rectifier
from tests.models.conftest import parameter_names, randomise_batch_norms


@pytest.fixture(scope="module")
def reference() -> torch.nn.Module:
    arch = pytest.importorskip("pyiqa.archs.hypernet_arch")
    torch.manual_seed(0)
    create_model = timm.create_model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            timm, "create_model", lambda name, pretrained, **rest: create_model(name, **rest)
        )
        network = arch.HyperNet(pretrained=False)
    randomise_batch_norms(network)
    # Content and weights small enough for the sigmoids of the target network not to saturate.
    network.conv1[4].weight.data *= 0.2
    for module in network.lda_modules:
        module[-1].weight.data *= 0.1
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model(reference) -> HyperIQAQualityModel:
    network = HyperIQAQualityModel()
    network.load_state_dict(published_state({"params": reference.state_dict()}))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def codes(model, crops) -> torch.Tensor:
    return model.encode(crops)


def test_parameters_are_named_as_in_the_published_checkpoint(model, reference):
    assert set(model.state_dict()) == parameter_names(reference)


def test_each_crop_is_scored_as_by_pyiqa(model, reference, crops, codes):
    maps = []
    hook = reference.base_model.register_forward_hook(lambda *call: maps.extend(call[-1]))
    expected = reference.forward_patch(crops).squeeze(1)
    hook.remove()
    assert expected.max() - expected.min() > 0.01  # else the comparison would say little
    quality, features = model.read(codes)
    assert (quality - expected).abs().max() <= 1e-5
    # the features are the means of the last map
    means = maps[-1].mean((2, 3))
    assert features.shape == (3, model.feature_dim) == (3, 2048)
    assert (features - means).abs().max() <= 1e-5 * means.abs().max()


def test_metric_averages_the_scores_of_crops(model, reference, picture):
    image = picture.float() / 255
    policy = CropPolicy(number=2)
    expected = reference.forward_patch(read_crops(image, policy)).mean().item()
    metric = CalibratedMetric("sriqa_hyperiqa", model, Rectifier(2048), policy)
    score = metric(image[None])  # an untrained rectifier changes nothing
    assert score.shape == (1, 1)
    assert abs(score.item() - expected) <= 1e-5


def test_codes_do_not_depend_on_the_batch(model, crops, codes):
    alone = model.encode(crops[2:])
    assert (codes[2:, 0] - alone[:, 0]).abs().max() <= 1e-5
    assert (codes[2:] - alone).abs().max() <= 1e-5 * codes.abs().max()


def test_gradient_reaches_the_image_and_no_parameter(model, crops):
    metric = CalibratedMetric("sriqa_hyperiqa", model, Rectifier(2048), CropPolicy())
    image = crops[:1].clone().requires_grad_()
    metric(image).backward()
    assert image.grad.isfinite().all()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in metric.parameters())


@pytest.mark.usefixtures("no_network")
def test_building_asks_for_no_network():
    HyperIQAQualityModel()


def test_weights_can_be_assigned_to_a_model_without_any(model, crops, codes):
    with torch.device("meta"):
        empty = HyperIQAQualityModel().eval()
    empty.load_state_dict(model.state_dict(), assign=True)
    assert torch.equal(empty.encode(crops), codes)
    assert all(tensor.is_floating_point() for tensor in model.state_dict().values())


def test_crops_of_another_size_are_refused(model):
    with pytest.raises(SriqaError, match="224x224 pixels, got 256x224"):
        model.encode(torch.rand(1, 3, 256, 224))
