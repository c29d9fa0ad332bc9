import copy
import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import sriqa_metric as sriqa
from sriqa_metric import metric as metric_module
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import ImageError, SriqaError
from sriqa_metric.scoring import score_stream
from tests.conftest import EXAMPLES

COFFEE = EXAMPLES / "coffee_bicubic.png"


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 256, 240, generator=torch.Generator().manual_seed(0))


@pytest.mark.answers(
    "Modules",
    "gradients through the metric",
    "reach the image; its own parameters never collect any",
)
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


@pytest.mark.answers(
    "Modules", "`train()` of a module that holds the metric", "the metric stays in evaluation mode"
)
def test_training_a_model_around_it_leaves_it_in_evaluation(lite):
    around = torch.nn.Sequential(lite).train()
    assert around.training
    assert not any(module.training for module in lite.modules())


@pytest.mark.answers("Modules", "`torch.autocast` around any call", "the same scores, bit for bit")
@pytest.mark.parametrize("side", [96, 256])  # enlarged, and as it is
def test_autocast_moves_no_score(lite, side):
    images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    expected = lite(images), lite.score(images[0])
    with torch.autocast("cpu", torch.bfloat16):
        found = lite(images), lite.score(images[0])
    assert torch.equal(found[0], expected[0])
    assert found[1] == expected[1]
    assert found[0].dtype is torch.float32


def test_autocast_of_the_caller_reaches_what_the_caller_computes(lite):
    """A generator of images runs while `score` does."""

    def outputs():
        product = torch.ones(3, 224, 224) @ torch.ones(224, 224) / 448
        assert product.dtype is torch.bfloat16
        yield product

    with torch.autocast("cpu", torch.bfloat16):
        assert lite.score(outputs()) == lite.score([torch.full((3, 224, 224), 0.5)])


CASTS = {
    "half": lambda module: module.half(),
    "bfloat16": lambda module: module.bfloat16(),
    "double": lambda module: module.double(),
    "float": lambda module: module.float(),
    "type": lambda module: module.type(torch.float16),
    "to": lambda module: module.to(torch.float16),
    "to like": lambda module: module.to(torch.zeros(1, dtype=torch.float64)),
    "to device and type": lambda module: module.to("cpu", torch.bfloat16),
}


@pytest.mark.answers(
    "Modules",
    "`.half()`, `.bfloat16()`, `.double()` or `.to(dtype)` of the metric or of a module around it",
    "the metric's weights stay float32, its scores the same",
)
@pytest.mark.parametrize("cast", CASTS.values(), ids=CASTS)
def test_no_cast_of_a_module_moves_a_score(lite, images, cast):
    metric = copy.deepcopy(lite)
    around = nn.ModuleDict({"metric": metric, "network": nn.Linear(2, 2)})
    expected = lite(images), lite.score(COFFEE)
    wanted = cast(nn.Linear(2, 2)).weight.dtype
    assert cast(around) is around
    assert around["network"].weight.dtype is wanted
    assert cast(metric) is metric
    assert {tensor.dtype for tensor in metric.state_dict().values()} == {torch.float32}
    assert all(torch.equal(t, lite.state_dict()[n]) for n, t in metric.state_dict().items())
    assert torch.equal(metric(images), expected[0])
    assert metric.score(COFFEE) == expected[1]
    assert (metric(images.half()) - expected[0]).abs().max() < 1e-2  # of rounded pixels


def test_moves_between_devices_still_move(lite):
    moved = copy.deepcopy(lite).to("meta", torch.float16)
    assert {tensor.device.type for tensor in moved.state_dict().values()} == {"meta"}
    empty = moved.to_empty(device="cpu")
    assert empty.device.type == "cpu"
    empty.load_state_dict(lite.state_dict())
    assert empty.score(COFFEE) == lite.score(COFFEE)


@pytest.mark.answers(
    "Modules",
    "`torch.compile(metric, fullgraph=True)`",
    "the same scores and gradients; values are not checked",
)
@pytest.mark.parametrize("side", [100, 256])  # enlarged, and as it is
def test_one_graph_holds_the_whole_metric(side):
    metric = sriqa.load(policy=CropPolicy(number=1))
    torch.compiler.reset()
    compiled = torch.compile(metric, fullgraph=True, backend="eager")
    images = torch.rand(1, 3, side, side, requires_grad=True)
    scores, expected = compiled(images), metric(images)
    assert torch.allclose(scores, expected, atol=1e-5)
    found, wanted = (torch.autograd.grad(each.sum(), images)[0] for each in (scores, expected))
    assert torch.allclose(found, wanted, atol=1e-5)
    assert compiled((images.detach() * 255).requires_grad_()).isfinite().all()


@pytest.mark.answers(
    "Modules",
    "`torch.export.export` of the metric for one size of images",
    "a program with the same scores, to 1e-5",
)
@pytest.mark.parametrize("side", [100, 256])
def test_an_exported_program_scores_the_same(side):
    metric = sriqa.load(policy=CropPolicy(number=2))
    first, second = torch.rand(2, 2, 3, side, side, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(metric, (first,)).module()
    assert torch.allclose(program(second), metric(second), atol=1e-5)


@pytest.mark.answers(
    "Modules",
    "values less than 0.001 outside [0, 1], as rounding makes them",
    "scored, with gradients",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_network_may_overshoot_by_rounding(lite, images, dtype):
    step = torch.finfo(dtype).eps  # from 1 to the next number
    over = images.to(dtype)
    over[:, :, ::2, 0], over[:, :, ::3, 1] = -step, 1 + step
    over.requires_grad_()
    score = lite(over)
    assert torch.allclose(score, lite(over.detach().float().clamp(0, 1)), atol=1e-2)
    score.sum().backward()
    assert over.grad.isfinite().all()


@pytest.mark.answers(
    "Modules", "values further outside [0, 1]", "error that quotes them and says to clamp"
)
@pytest.mark.parametrize("value", [-0.0011, 1.0011, 1 + 0.5 / 255])
def test_half_a_step_of_eight_bits_is_no_rounding(lite, value):
    with pytest.raises(SriqaError, match=r"got .*; clamp them, or divide 8-bit values by 255"):
        lite(torch.full((1, 3, 224, 224), value))


def test_without_the_check_any_finite_value_is_scored(images):
    metric = sriqa.load(policy=CropPolicy(number=1))
    metric.checks_range = False
    assert metric(images * 3 - 1).isfinite().all()
    with pytest.raises(SriqaError, match="expected finite values"):
        metric(images / 0)


@pytest.mark.answers(
    "Work and memory",
    "a batch of images",
    "their crops go through the network together; scores as alone, to 1e-5",
)
def test_crops_of_a_batch_go_through_the_network_together(monkeypatch):
    metric = sriqa.load()
    batch = torch.rand(5, 3, 224, 256, generator=torch.Generator().manual_seed(0))
    alone = [metric(image[None]).item() for image in batch]
    passes, encode = [], metric.quality_model.encode
    monkeypatch.setattr(
        metric.quality_model, "encode", lambda crops: passes.append(len(crops)) or encode(crops)
    )
    assert metric(batch).flatten().tolist() == pytest.approx(alone, abs=1e-5)
    assert passes == [6, 4]  # of 6 at most, 2 an image
    passes.clear()
    monkeypatch.setattr(metric.quality_model, "crops_per_pass", 8)
    assert metric(batch).flatten().tolist() == pytest.approx(alone, abs=1e-5)
    assert passes == [8, 2]
    passes.clear()
    monkeypatch.setattr(metric.quality_model, "crops_per_pass", 1)
    assert metric(batch[:2]).flatten().tolist() == pytest.approx(alone[:2], abs=1e-5)
    assert passes == [1, 1, 1, 1]


def test_crops_at_once_are_measured_once_per_card_and_size(lite, monkeypatch):
    metric = copy.deepcopy(lite)
    asked, shortage = [], []

    def measured(work, device):
        asked.append(device)
        if shortage:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return 8 * 20_000_000

    monkeypatch.setattr(metric_module, "cuda_bytes", measured)
    monkeypatch.setattr(metric_module, "cuda_free", lambda device: 10_000_000_000)
    monkeypatch.setattr(metric, "encode", lambda crops, at_once: crops)
    monkeypatch.setattr(torch, "zeros", lambda *shape, device: shape)
    monkeypatch.setattr(type(metric), "device", torch.device("cuda:0"))
    assert [metric.crops_per_pass, metric.crops_per_pass] == [240, 240]
    assert asked == [torch.device("cuda:0")]
    monkeypatch.setattr(type(metric), "device", torch.device("cuda:1"))
    shortage.append(True)
    assert metric.crops_per_pass == 1
    metric.policy = CropPolicy(size=448)
    shortage.clear()
    assert metric.crops_per_pass == 240
    assert len(asked) == 3


@pytest.mark.gpu
def test_scores_on_cuda_depend_on_no_batch(picture):
    metric = sriqa.load("sriqa_lite", device="cuda")
    assert 1 <= metric.crops_per_pass <= 480
    images = [picture, picture[:, :230], picture.flip(-1), picture[:, :100, :90]] * 20
    expected = [metric.score(image) for image in images[:4]] * 20
    for batch_size in (None, 1, 7, 64):
        found = list(score_stream(metric, images, batch_size))
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.gpu
def test_memory_of_a_card_that_runs_out_is_no_error(picture, caplog):
    metric = sriqa.load("sriqa_lite", device="cuda")
    expected = metric.score(picture)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(400_000_000 / torch.cuda.mem_get_info()[1])
    try:
        found = list(score_stream(metric, [picture] * 100, batch_size=480))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert found == pytest.approx([expected] * 100, abs=1e-4)
    assert caplog.messages


@pytest.mark.answers(
    "Images in memory",
    "a generator, tuple or other iterable of images",
    "a list of their scores; only a few are held at a time",
)
def test_whatever_is_iterated_over_is_many_images(lite):
    array = np.array(Image.open(COFFEE).convert("RGB"))
    images = [COFFEE, Image.open(COFFEE), array]
    expected = lite.score(COFFEE)
    for many in (images, tuple(images), iter(images), (image for image in images)):
        assert lite.score(many) == pytest.approx([expected] * 3, abs=1e-5)
    assert lite.score({str(COFFEE)}) == [expected]
    assert lite.score(iter(())) == []


@pytest.mark.answers("Images in memory", "a str", "a path, never a list of letters")
def test_what_is_one_image_is_never_taken_apart(lite):
    assert lite.score(str(COFFEE)) == lite.score(COFFEE)
    array = np.array(Image.open(COFFEE).convert("RGB"))
    assert isinstance(lite.score(array), float)
    assert isinstance(lite.score(torch.from_numpy(array).permute(2, 0, 1)), float)
    for several in (np.stack([array, array]), torch.zeros(2, 3, 224, 224)):
        with pytest.raises(ImageError, match="give the images one by one"):
            lite.score(several)
    for odd in ("", 7, None):
        with pytest.raises(ImageError):
            lite.score(odd)


def test_a_file_object_or_bytes_are_one_image_too(lite, monkeypatch):
    given = []
    monkeypatch.setattr(metric_module, "score_all", lambda _, *rest: given.append(rest[0]) or [0.5])
    for single in (io.BytesIO(b"x"), COFFEE.read_bytes(), bytearray(b"x"), memoryview(b"x")):
        assert lite.score(single) == 0.5
        assert given.pop() == [single]


@pytest.mark.answers("Modules", '`load(device="mps")` without an Apple GPU', "error: none is seen")
def test_an_apple_gpu_is_used_or_missed(lite):
    if not torch.backends.mps.is_available():
        with pytest.raises(SriqaError, match=r"device 'mps': does not work here .*; use 'cpu'"):
            sriqa.load(device="mps")
        return
    assert sriqa.load(device="mps").score(COFFEE) == pytest.approx(lite.score(COFFEE), abs=1e-4)


@pytest.mark.answers("Modules", "gray images (N, 1, H, W)", "scored as RGB of equal channels")
def test_gray_counts_as_rgb(lite):
    gray = torch.rand(2, 1, 230, 230)
    assert torch.allclose(lite(gray), lite(gray.expand(-1, 3, -1, -1)), atol=1e-5)


@pytest.mark.answers("Modules", "images of float16, bfloat16 or float64", "scored in float32")
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


@pytest.mark.answers(
    "Modules",
    "a tensor of a wrong shape or type, or with NaN or infinity in it",
    "error that quotes it",
)
@pytest.mark.parametrize("name", BAD)
def test_bad_tensors_are_quoted(lite, name):
    images, message = BAD[name]
    with pytest.raises(SriqaError) as caught:
        lite(images)
    assert message in str(caught.value)


@pytest.mark.answers("Modules", "`import sriqa_metric`", "imports neither torch nor pyiqa")
def test_importing_the_package_imports_nothing_heavy():
    code = "import sriqa_metric, sys; print(sorted({'torch', 'numpy', 'pyiqa'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
