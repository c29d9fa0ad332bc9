"""The reference is pyiqa's DBCNN, kept from downloading, with the same random weights."""

from types import SimpleNamespace

import pytest
import torch
import torchvision
from torchvision.models.vgg import cfgs, make_layers

from sriqa_metric.crops import CropPolicy, read_crops
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.dbcnn import DBCNNQualityModel
from sriqa_metric.models.published import published_state
from sriqa_metric.models.rectifier import Rectifier
from tests.models.conftest import parameter_names, randomise_batch_norms


@pytest.fixture(scope="module")
def reference() -> torch.nn.Module:
    arch = pytest.importorskip("pyiqa.archs.dbcnn_arch")
    torch.manual_seed(0)
    # Only the convolutions of VGG-16; its classifier is large and not used.
    vgg = SimpleNamespace(features=make_layers(cfgs["D"], batch_norm=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchvision.models, "vgg16", lambda weights: vgg)
        patch.setattr(arch, "load_pretrained_network", lambda *args: None)
        network = arch.DBCNN(pretrained=False)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    randomise_batch_norms(network)
    network.fc.weight.data *= 50  # so that the scores of different crops differ
    network.fc.bias.data.fill_(0.5)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model(reference) -> DBCNNQualityModel:
    network = DBCNNQualityModel()
    network.load_state_dict(published_state({"params": reference.state_dict()}))
    return network.eval().requires_grad_(False)


@pytest.fixture
def small(crops) -> torch.Tensor:
    """Three crops of 64x64 pixels: quick."""
    return crops[..., 40:104, 60:124]


def test_parameters_are_named_as_in_published_checkpoints(model, reference):
    assert set(model.state_dict()) == parameter_names(reference)


def test_each_crop_is_scored_as_by_pyiqa(model, reference, crops):
    expected = reference(crops).squeeze(1)
    quality, _ = model.read(model.encode(crops))
    assert expected.max() - expected.min() > 0.01  # else the comparison would say little
    assert (quality - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("size", [(64, 64), (72, 90)])
def test_crops_of_other_sizes_are_scored_as_by_pyiqa(model, reference, crops, size):
    window = crops[..., : size[0], : size[1]]
    quality, _ = model.read(model.encode(window))
    assert (quality - reference(window).squeeze(1)).abs().max() <= 1e-5


def test_features_are_the_means_of_the_last_maps(model, reference, small):
    x = reference.preprocess(small)
    maps = (reference.features1(x), reference.features2(x))
    expected = torch.cat([each.mean((2, 3)) for each in maps], dim=1)
    _, features = model.read(model.encode(small))
    assert features.shape == (3, model.feature_dim) == (3, 640)
    assert (features - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_metric_averages_the_scores_of_crops(model, reference, picture):
    image = picture.float() / 255
    policy = CropPolicy(number=2)
    expected = reference(read_crops(image, policy)).mean().item()
    metric = CalibratedMetric("sriqa_dbcnn", model, Rectifier(640), policy)
    score = metric(image[None])  # an untrained rectifier changes nothing
    assert score.shape == (1, 1)
    assert abs(score.item() - expected) <= 1e-5


def test_codes_do_not_depend_on_the_batch(model, small):
    together = model.encode(small)
    alone = torch.cat([model.encode(crop) for crop in small.split(1)])
    assert (together - alone).abs().max() <= 1e-5 * together.abs().max()
    assert (together[:, 0] - alone[:, 0]).abs().max() <= 1e-5


def test_gradient_reaches_the_image_and_no_parameter(model, small):
    policy = CropPolicy(size=64)
    metric = CalibratedMetric("sriqa_dbcnn", model, Rectifier(640), policy)
    image = small[:1].clone().requires_grad_()
    metric(image).backward()
    assert image.grad.isfinite().all()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in metric.parameters())


@pytest.mark.usefixtures("no_network")
def test_building_asks_for_no_network():
    DBCNNQualityModel()


def test_weights_can_be_assigned_to_a_model_without_any(model, small):
    with torch.device("meta"):
        empty = DBCNNQualityModel().eval()
    empty.load_state_dict(model.state_dict(), assign=True)
    assert torch.equal(empty.encode(small), model.encode(small))
    assert all(tensor.is_floating_point() for tensor in model.state_dict().values())


def test_published_state_unwraps_and_cleans():
    checkpoint = {
        "params": {
            "module.features2.1.running_var": torch.ones(48).half(),
            "module.features2.1.num_batches_tracked": torch.tensor(7),
        }
    }
    for each in (checkpoint, checkpoint["params"]):
        state = published_state(each)
        assert list(state) == ["features2.1.running_var"]
        assert state["features2.1.running_var"].dtype == torch.float32


def test_what_is_no_state_dict_is_refused():
    with pytest.raises(SriqaError, match="'epoch' is of type int"):
        published_state({"epoch": 3})
