"""The metrics inside the real pyiqa."""

import os
import subprocess
import sys

import pytest
import torch

from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.registry import CATALOG
from tests.conftest import EXAMPLES
from tests.random_weights import random_metric, save_random

pyiqa = pytest.importorskip("pyiqa")
COFFEE = EXAMPLES / "coffee_realesrgan_x4plus.png"
FEW = CropPolicy(number=2)


@pytest.fixture(scope="module")
def metric():
    return pyiqa.create_metric("sriqa_lite", device="cpu")


@pytest.fixture(scope="module")
def dbcnn_file(tmp_path_factory):
    return save_random("sriqa_dbcnn", tmp_path_factory.mktemp("weights"), FEW)


@pytest.mark.answers("Modules", '`pyiqa.list_models("NR")`', "lists every metric of this package")
def test_every_metric_is_listed_as_blind_and_higher_is_better():
    assert set(CATALOG) <= set(pyiqa.list_models("NR"))
    assert not set(CATALOG) & set(pyiqa.list_models("FR"))


@pytest.mark.answers("Modules", "a path, through pyiqa", "the score that `load` gives, to 1e-5")
def test_a_path_scores_as_it_does_without_pyiqa(metric, lite):
    score = metric(str(COFFEE))
    assert score.shape == (1, 1)
    assert score.item() == pytest.approx(lite.score(COFFEE), abs=1e-5)
    assert metric.lower_better is False
    assert metric.metric_mode == "NR"


@pytest.mark.answers(
    "Modules", "pyiqa with gray or colour tensors of any float type", "scored in float32, (N, 1)"
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_gray_and_colour_tensors_of_any_float_type(metric, dtype, channels, picture):
    images = (picture[None, :channels].double() / 255 * 0.99).to(dtype)
    score = metric(images)
    assert score.shape == (1, 1)
    assert score.dtype == torch.float32
    reference = metric.net(images.float().expand(1, 3, -1, -1))
    assert torch.equal(score, reference)


def test_as_loss_gives_gradients_also_outside_the_range(picture):
    loss = pyiqa.create_metric("sriqa_lite", as_loss=True, device="cpu", policy=FEW)
    images = (picture[None].float() / 200 - 0.1).requires_grad_()
    value = loss(images)
    value.backward()
    assert value.shape == ()
    assert images.grad.isfinite().all()
    assert images.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in loss.net.parameters())


@pytest.mark.answers(
    "Modules",
    "as pyiqa's loss, a network that overshoots [0, 1], by rounding or more",
    "scored, with gradients",
)
@pytest.mark.parametrize("over", [1e-7, 1e-4, 0.2])
def test_a_loss_takes_what_overshoots(picture, over):
    loss = pyiqa.create_metric("sriqa_lite", as_loss=True, device="cpu", policy=FEW)
    images = picture[None].float() / 255
    images[..., ::2, 150], images[..., ::3, 151] = -over, 1 + over
    images.requires_grad_()
    loss(images).backward()
    assert images.grad.isfinite().all()
    assert images.grad[..., 150:152].abs().sum() > 0


@pytest.mark.answers("Modules", "scores by pyiqa of values 1e-7 outside [0, 1]", "scored")
def test_pyiqa_s_own_check_allows_for_rounding(metric, picture):
    images = picture[None].float() / 255
    images[..., ::2, 150], images[..., ::3, 151] = -1e-7, 1 + 1e-7
    assert torch.allclose(metric(images), metric(images.clamp(0, 1)), atol=1e-4)


@pytest.mark.answers(
    "Modules", "`.half()` and `torch.autocast` with pyiqa's interface", "the same scores"
)
@pytest.mark.parametrize("cast", ["half", "bfloat16", "double"])
def test_casts_of_pyiqa_s_interface_move_no_score(metric, picture, cast):
    images = picture[None].float() / 255
    other = getattr(pyiqa.create_metric("sriqa_lite", device="cpu"), cast)()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(other(images), metric(images))


@pytest.mark.answers("Modules", "as pyiqa's loss, NaN or infinity", "error that quotes it")
def test_a_loss_of_nan_is_refused():
    loss = pyiqa.create_metric("sriqa_lite", as_loss=True, device="cpu", policy=FEW)
    with pytest.raises(SriqaError, match="expected finite values, got nan to nan"):
        loss(torch.full((1, 3, 224, 224), torch.nan))


@pytest.mark.answers("Modules", "through pyiqa, values outside [0, 1]", "pyiqa's own error")
def test_out_of_range_scores_are_pyiqa_s_error(metric):
    with pytest.raises(AssertionError, match="normalized"):
        metric(torch.full((1, 3, 224, 224), 1.5))


def test_policy_as_dataclass_or_dict(picture):
    images = picture[None].float() / 255
    one, other = (
        pyiqa.create_metric("sriqa_lite", device="cpu", policy=policy)
        for policy in (FEW, FEW.to_dict())
    )
    assert one.net.policy == FEW
    assert torch.equal(one(images), other(images))
    with pytest.raises(SriqaError, match="number must be an integer from 1 to 10000, not 0"):
        pyiqa.create_metric("sriqa_lite", device="cpu", policy=FEW.to_dict() | {"number": 0})


def test_a_file_of_one_s_own(dbcnn_file, picture):
    metric = pyiqa.create_metric("sriqa_dbcnn", device="cpu", pretrained_model_path=dbcnn_file)
    expected = random_metric("sriqa_dbcnn", FEW).score(picture)
    assert metric(picture[None] / 255).item() == pytest.approx(expected, abs=1e-3)  # float16
    with pytest.raises(SriqaError, match="weights of 'sriqa_dbcnn', not of 'sriqa_lite'"):
        pyiqa.create_metric("sriqa_lite", device="cpu", pretrained_model_path=dbcnn_file)


def test_random_weights_on_request():
    metric = pyiqa.create_metric("sriqa_hyperiqa", device="cpu", pretrained=False, policy=FEW)
    assert metric(torch.rand(1, 3, 224, 224)).isfinite().all()
    assert metric.net.weights_id == "unsaved"


@pytest.mark.answers(
    "Weights and the Hub",
    "through pyiqa, a metric without released weights",
    "one error with the ways out",
)
def test_no_weights_are_one_error_of_ours():
    with pytest.raises(SriqaError) as caught:
        pyiqa.create_metric("sriqa_clip", device="cpu")
    assert caught.value.__cause__ is None
    for way in ("sriqa_lite", "local file", "SRIQA_WEIGHTS_REPO", "sriqa-calibrate"):
        assert way in str(caught.value)


@pytest.mark.answers(
    "Modules", "pyiqa's `load_weights`", "other weights, whose id is then `unsaved`"
)
def test_load_weights_and_to(tmp_path, picture):
    source = pyiqa.create_metric("sriqa_lite", device="cpu", policy=FEW)
    target = pyiqa.create_metric("sriqa_lite", device="cpu", policy=FEW, pretrained=False)
    images = picture[None].float() / 255
    assert not torch.equal(source(images), target(images))
    torch.save({"params": source.net.state_dict()}, tmp_path / "lite.pth")
    source.load_weights(str(tmp_path / "lite.pth"))
    target.load_weights(str(tmp_path / "lite.pth"))
    assert torch.equal(source(images), target.to("cpu")(images))
    assert source.net.weights_id == "unsaved"


@pytest.mark.gpu
def test_inputs_on_another_device(metric, picture):
    on_gpu = pyiqa.create_metric("sriqa_lite", device="cuda")
    images = picture[None].float() / 255
    assert on_gpu(images).device.type == "cuda"
    assert on_gpu(images).item() == pytest.approx(metric(images.cuda()).item(), abs=1e-4)


@pytest.mark.slow
def test_pyiqa_s_command_and_python_with_nothing_but_pyiqa(lite):
    """With the start-up file of the installed package, which these commands depend on."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SRIQA_")}

    def output(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=clean, check=True)
        return done.stdout

    code = (
        "import pyiqa, sys; m = pyiqa.create_metric('sriqa_lite', device='cpu');"
        "print(m(sys.argv[1]).item())"
    )
    score = float(output(sys.executable, "-c", code, str(COFFEE)).splitlines()[-1])
    assert score == pytest.approx(lite.score(COFFEE), abs=1e-5)
    command = (sys.executable, "-m", "pyiqa.pyiqa_cmd")
    listed = output(*command, "-ls")
    assert all(f"'{name}'" in listed for name in CATALOG)
    printed = output(*command, "sriqa_lite", "-t", str(COFFEE), "--device", "cpu")
    assert f"{lite.score(COFFEE):.4f}"[:-1] in printed


@pytest.mark.answers(
    "Modules", "a metric of ours in pyiqa's benchmark of data sets", "scored as any of pyiqa's"
)
def test_what_the_benchmark_script_of_pyiqa_does(lite, tmp_path):
    """Its steps: options from the table, a data set of files with labels, three correlations."""
    from pyiqa.data import build_dataloader, build_dataset
    from pyiqa.default_model_configs import DEFAULT_CONFIGS
    from pyiqa.metrics import calculate_krcc, calculate_plcc, calculate_srcc

    paths = sorted(EXAMPLES.glob("coffee_*.png"))
    labels = range(len(paths))
    rows = [f"{path.name},{label}" for path, label in zip(paths, labels, strict=True)]
    (tmp_path / "meta.csv").write_text("\n".join(["name,mos", *rows]))
    config = DEFAULT_CONFIGS["sriqa_lite"]
    metric = pyiqa.create_metric(
        "sriqa_lite",
        device=torch.device("cpu"),
        metric_mode=config["metric_mode"],
        **config["metric_opts"],
    )
    options = {
        "name": "coffee",
        "type": "GeneralNRDataset",
        "dataroot_target": str(EXAMPLES),
        "meta_info_file": str(tmp_path / "meta.csv"),
        "phase": "test",
        "num_worker_per_gpu": 0,
        "prefetch_mode": "cpu",
        "num_prefetch_queue": 2,
    }
    found, seen = [], []
    for data in build_dataloader(build_dataset(options), options, num_gpu=0):
        seen.append(data["mos_label"].item())
        found.append(metric(data["img"]).item())
    assert seen == list(labels)
    assert found == pytest.approx(lite.score(paths), abs=1e-5)
    for correlation in (calculate_plcc, calculate_srcc, calculate_krcc):
        assert -1 <= correlation(found, seen) <= 1
    assert config["lower_better"] is False
