import subprocess
import sys

import pytest
import torch

from sriqa_metric.errors import SriqaError


def test_gradient_reaches_the_image_and_no_parameter(lite):
    images = torch.rand(1, 3, 256, 256, requires_grad=True)
    lite(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in lite.parameters())


def test_gradient_agrees_with_a_finite_difference(lite):
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    image.requires_grad_()
    (gradient,) = torch.autograd.grad(lite(image).sum(), image)
    direction = gradient / gradient.norm()
    with torch.no_grad():
        step = 0.05
        change = lite(image + step * direction) - lite(image - step * direction)
    assert change.item() / (2 * step) == pytest.approx(gradient.norm().item(), rel=0.1)


def test_training_a_model_around_it_leaves_it_in_evaluation(lite):
    around = torch.nn.Sequential(lite).train()
    assert around.training
    assert not any(module.training for module in lite.modules())


@pytest.mark.parametrize("side", [96, 256])  # enlarged, and as it is
def test_autocast_moves_no_score(lite, side):
    images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    expected = lite(images), lite.score(images[0])
    with torch.autocast("cpu", torch.bfloat16):
        found = lite(images), lite.score(images[0])
    assert torch.equal(found[0], expected[0])
    assert found[1] == expected[1]
    assert found[0].dtype is torch.float32


def test_gray_counts_as_rgb(lite):
    gray = torch.rand(2, 1, 230, 230)
    assert torch.allclose(lite(gray), lite(gray.expand(-1, 3, -1, -1)), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_any_float_type_is_taken(lite, dtype):
    images = torch.rand(1, 3, 224, 224).to(dtype)
    assert torch.allclose(lite(images), lite(images.float()), atol=1e-5)


BAD = {
    "rank": (torch.rand(3, 224, 224), "got shape (3, 224, 224)"),
    "channels": (torch.rand(1, 4, 224, 224), "got shape (1, 4, 224, 224)"),
    "empty batch": (torch.rand(0, 3, 224, 224), "got shape (0, 3, 224, 224)"),
    "no pixels": (torch.rand(1, 3, 0, 224), "got shape (1, 3, 0, 224)"),
    "type": (torch.zeros(1, 3, 224, 224, dtype=torch.uint8), "got torch.uint8"),
    "NaN": (torch.full((1, 3, 224, 224), torch.nan), "got nan to nan"),
    "infinite": (torch.full((1, 3, 224, 224), torch.inf), "got inf to inf"),
    "range": (torch.full((1, 3, 224, 224), 255.0), "got 255 to 255"),
    "negative": (torch.full((1, 3, 224, 224), -0.5), "got -0.5 to -0.5"),
    "no tensor": ([1, 2], "got list"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tensors_are_quoted(lite, name):
    images, message = BAD[name]
    with pytest.raises(SriqaError) as caught:
        lite(images)
    assert message in str(caught.value)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sriqa_metric, sys; print(sorted({'torch', 'numpy', 'pyiqa'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
