"""The metric of torchmetrics, inside the real torchmetrics."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sriqa_metric as sriqa
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from tests.random_weights import save_random
from tests.test_metric import CASTS

torchmetrics = pytest.importorskip("torchmetrics")

from sriqa_metric.torchmetrics import SriqaScore  # noqa: E402

answers = pytest.mark.answers
MODULES = "Modules"


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Six small pictures of different quality, float."""
    noise = torch.rand(6, 3, 40, 48, generator=torch.Generator().manual_seed(0))
    return (0.5 + (noise - 0.5) * torch.linspace(0, 1, 6)[:, None, None, None]).contiguous()


@pytest.fixture(scope="module")
def scores(lite: CalibratedMetric, images: torch.Tensor) -> torch.Tensor:
    return lite(images)[:, 0].double()


@pytest.fixture
def metric(lite: CalibratedMetric) -> SriqaScore:
    return SriqaScore(lite)


@answers(
    MODULES,
    "`SriqaScore` of torchmetrics, however images are split into batches",
    "the mean of `load`'s scores, to 1e-5",
)
@settings(max_examples=10, deadline=None)
@given(cuts=st.sets(st.integers(1, 5)), forward=st.booleans())
def test_the_mean_whatever_the_batches(lite, images, scores, cuts, forward):
    metric = SriqaScore(lite)
    edges = [0, *sorted(cuts), 6]
    for first, past in pairwise(edges):
        if forward:
            batch = metric(images[first:past])
            assert batch.item() == pytest.approx(scores[first:past].mean().item(), abs=1e-5)
        else:
            metric.update(images[first:past])
    assert metric.compute().shape == ()
    assert metric.compute().dtype is torch.float32
    assert metric.compute().item() == pytest.approx(scores.mean().item(), abs=1e-5)


def test_reset_forgets_all(metric, images, scores):
    metric.update(images)
    metric.reset()
    metric.update(images[:2])
    assert metric.compute().item() == pytest.approx(scores[:2].mean().item(), abs=1e-5)


def test_small_scores_are_not_lost_after_many_images(metric, images, scores):
    """In float32 a sum of 10 million images would not move by one more."""
    metric.update(images)
    metric.total, metric.count = metric.total * 10_000_000, metric.count * 10_000_000
    before = metric.total.clone()
    metric(images[:1])
    assert (metric.total - before).item() == pytest.approx(scores[0].item(), abs=1e-5)


@answers(MODULES, "8-bit images, to `SriqaScore`", "scored as the same values divided by 255")
def test_8_bit_images(metric, lite, picture):
    assert metric(picture[None]).item() == pytest.approx(lite.score(picture), abs=1e-5)


def test_a_name_and_a_file_of_weights(picture, tmp_path):
    path = save_random("sriqa_dbcnn", tmp_path, CropPolicy(number=1))
    for source in (path, str(path)):
        score = SriqaScore(source)(picture[None]).item()
        assert score == pytest.approx(sriqa.load("sriqa_dbcnn", path).score(picture), rel=1e-5)
    assert SriqaScore().network.name == "sriqa_lite"
    with pytest.raises(SriqaError, match="'sriqa_light' is neither a weights file nor one of"):
        SriqaScore("sriqa_light")


def test_what_torchmetrics_asks(metric):
    assert (metric.higher_is_better, metric.is_differentiable) == (True, True)
    assert metric.full_state_update is False


@answers(
    MODULES, "`SriqaScore` beside PSNR and SSIM in a `MetricCollection`", "takes (preds, target)"
)
def test_beside_other_metrics(metric, images, scores):
    image = torchmetrics.image
    both = torchmetrics.MetricCollection(
        {
            "psnr": image.PeakSignalNoiseRatio(data_range=1.0),
            "ssim": image.StructuralSimilarityIndexMeasure(data_range=1.0),
            "sriqa": metric,
        }
    )
    target = images.flip(0)
    for first, past in ((0, 2), (2, 6)):
        both(images[first:past], target[first:past])
    both.update(preds=images, target=target)
    found = both.compute()
    assert set(found) == {"psnr", "ssim", "sriqa"}
    assert found["sriqa"].item() == pytest.approx(scores.mean().item(), abs=1e-5)
    copied = both.clone(prefix="val_")
    copied.reset()
    copied.update(images[:1], target[:1])
    assert copied.compute()["val_sriqa"].item() == pytest.approx(scores[0].item(), abs=1e-5)
    assert both.compute()["sriqa"] == found["sriqa"]


@answers(MODULES, "`SriqaScore` called inside training", "gradients reach the images alone")
def test_gradients_of_a_batch_and_no_graph_is_kept(metric, images):
    leaf = images[:2].clone().requires_grad_()
    metric(leaf).backward()
    assert leaf.grad.isfinite().all()
    assert leaf.grad.abs().sum() > 0
    assert not metric.total.requires_grad
    metric.update(leaf)
    assert not metric.total.requires_grad


class Training(torch.nn.Module):
    """What a LightningModule is to a metric."""

    def __init__(self, metric: SriqaScore) -> None:
        super().__init__()
        self.network = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.quality = metric


@answers(
    MODULES,
    "a module that holds `SriqaScore`",
    "its `state_dict()` and `parameters()` have no weights of the metric",
)
def test_the_network_is_no_part_of_a_module_around_it(metric):
    around, bare = Training(metric), torch.nn.Conv2d(3, 3, 3, padding=1)
    assert list(around.state_dict()) == ["network.weight", "network.bias"]
    assert len(list(around.parameters())) == 2
    saved = {f"network.{name}": value for name, value in bare.state_dict().items()}
    around.load_state_dict(saved, strict=True)  # of a run without the metric


def test_sums_are_saved_where_asked(metric, images):
    metric.persistent(True)
    metric.update(images)
    fresh = SriqaScore(metric.network)
    fresh.persistent(True)
    Training(fresh).load_state_dict(Training(metric).state_dict())
    assert fresh.total == metric.total
    assert fresh.count == metric.count


@pytest.mark.parametrize("cast", CASTS)
@answers(MODULES, "`.half()` and the like around `SriqaScore`", "the same scores, float64 sums")
def test_a_cast_of_the_module_around_it_moves_no_score(cast, images, scores):
    around = Training(SriqaScore())
    around.quality.update(images)
    CASTS[cast](around)
    around.quality.update(images)
    around.quality.set_dtype(torch.float16)
    assert around.quality.compute().item() == pytest.approx(scores.mean().item(), abs=1e-5)
    assert around.quality.total.dtype is torch.float64
    assert around.quality.count.dtype is torch.int64


def test_a_loop_that_trains_and_validates(metric, images):
    """Training mode of the module around, two epochs, one value each."""
    around = Training(metric).train()
    optimizer = torch.optim.SGD(around.parameters(), lr=1e-2)
    seen = []
    for _ in range(2):
        optimizer.zero_grad()
        (around.network(images) - images).square().mean().backward()
        optimizer.step()
        for batch in images.split(4):
            around.quality.update(around.network(batch).clamp(0, 1).detach())
        seen.append(around.quality.compute().item())
        around.quality.reset()
    assert not any(module.training for module in metric.network.modules())
    assert len(set(seen)) == 2
    assert all(1 <= value <= 5 for value in seen)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_go_on_alone(metric, images, scores, copied):
    metric.update(images[:3])
    other = copied(metric)
    assert other.network is not metric.network
    other.update(images[3:])
    assert other.compute().item() == pytest.approx(scores.mean().item(), abs=1e-5)
    assert metric.compute().item() == pytest.approx(scores[:3].mean().item(), abs=1e-5)


@answers(MODULES, "`SriqaScore.compute()` before any image", "NaN, with torchmetrics' warning")
def test_no_image_is_nan(metric):
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert metric.compute().isnan()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (torch.rand(2, 3, 32, 32) * 2, "expected values in [0, 1], got"),
        (torch.full((1, 3, 32, 32), float("nan")), "got nan to nan"),
        (torch.zeros(3, 32, 32), "(3, 32, 32)"),
        (torch.zeros(0, 3, 32, 32), "(0, 3, 32, 32)"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.int64), "torch.int64"),
        ([[0.5]], "got list"),
    ],
)
@answers(MODULES, "what is no batch of images, to `SriqaScore`", "error; the sums stay as they are")
def test_a_wrong_batch_is_an_error_and_changes_nothing(metric, images, wrong, told):
    metric.update(images)
    before = metric.compute()
    with pytest.raises(SriqaError) as error:
        metric.update(wrong)
    assert told in str(error.value)
    assert metric.compute() == before


@answers(MODULES, "a score that is not finite, in `SriqaScore`", "error that quotes it")
def test_a_score_that_is_not_finite_is_an_error(images):
    metric = SriqaScore()
    metric.network.rectifier.out.bias.fill_(float("inf"))
    with pytest.raises(SriqaError, match=r"scores are \[.*inf.*\]; the weights are to blame"):
        metric.update(images)
    assert metric.count == 0


_PROCESS = """
import sys
from itertools import pairwise
import torch
import torch.distributed as dist
from sriqa_metric.torchmetrics import SriqaScore

rank, file, images = int(sys.argv[1]), sys.argv[2], torch.load(sys.argv[3], weights_only=True)
dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
metric = SriqaScore()
for batch in (images[:1], images[1:2]) if rank == 0 else (images[2:],):  # uneven
    metric(batch)
print(repr(metric.compute().item()), metric.count.item())
dist.destroy_process_group()
"""


@pytest.mark.slow
@answers(MODULES, "`SriqaScore` in two processes with uneven shares", "both give the mean of all")
def test_two_processes_give_what_one_does(images, scores, tmp_path):
    torch.save(images, tmp_path / "images.pt")
    arguments = [str(tmp_path / "meeting"), str(tmp_path / "images.pt")]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, str(rank), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        for rank in range(2)
    ]
    told = [process.communicate(timeout=120)[0].split() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert told[0][0] == told[1][0]
    assert float(told[0][0]) == pytest.approx(scores.mean().item(), abs=1e-5)
    assert [count for _, count in told] == ["2", "4"]  # each has its own again


@answers(MODULES, "`SriqaScore` without torchmetrics", "ImportError that says what to install")
def test_without_torchmetrics():
    code = (
        "import sys; sys.modules['torchmetrics'] = None\n"
        "try:\n    import sriqa_metric.torchmetrics\n"
        "except ImportError as error:\n    print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'sriqa-metric[torchmetrics]'" in told.stdout
