"""What a rectifier cannot be trained on is named."""

import math

import pytest
import torch

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from sriqa_metric.errors import SriqaError
from sriqa_metric.models.rectifier import Rectifier
from tests.calibrate.training.rectifier_world import WIDTH, Biased, Memory, train

answers = pytest.mark.answers
RUNS = "Training runs"


@answers(
    RUNS,
    "codes that are NaN or infinite",
    "error: step, part and contents or images",
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("results", r"step \d: codes of group \(contents 4\) are not finite"),
        ("held_out", r"rectifier: codes of held-out \(contents 2\) are not finite"),
        ("labelled", r"step \d: codes of set 2 \(images 3\) are not finite"),
        ("ladders", r"step \d: codes of ladders \(ladders 1\) are not finite"),
    ],
)
def test_codes_that_are_not_finite_are_named(drawn, place, message, value):
    broken = {
        "results": drawn.results[1, 4, 1:, 7:],
        "held_out": drawn.held_out[1, 2, 7:],
        "labelled": drawn.labelled[1][0][3, :, 7:],
        "ladders": drawn.ladders[1, 1, 7:],
    }
    broken[place].fill_(value)
    with pytest.raises(SriqaError, match=message):
        train(drawn, contents=5, epochs=4, ladders=64)


@answers(
    RUNS,
    "a loss that becomes NaN",
    "error: step and part; lower rectifier.lr",
)
def test_a_loss_that_is_not_finite_is_named(drawn):
    class Broken(Biased):
        def read(self, codes):
            return codes[:, 0] * (math.nan if len(codes) == 7 else 1), codes

    message = r"rectifier: step 1: loss of set 2 \(images 0, 1, 2, 3, 4, 5, 6\) is nan"
    with pytest.raises(SriqaError, match=message):
        train(drawn, model=Broken())


@answers(
    RUNS,
    "NaN among labels or in a ranking",
    "error that names them",
)
def test_labels_and_rankings_that_are_not_finite_are_refused(drawn):
    mos = torch.arange(7.0)
    mos[3] = math.nan
    labelled = (drawn.labelled[0], (drawn.labelled[1][0], mos))
    with pytest.raises(SriqaError, match=r"labels of set 2 \(images 3\) are not finite"):
        train(StageTwoData(drawn.results, drawn.mu, drawn.held_out, labelled))
    mu = torch.tensor([1.0, math.inf, 0.0])
    with pytest.raises(SriqaError, match=r"ranking \[1.0, inf, 0.0\] is not finite"):
        train(StageTwoData(drawn.results, mu, drawn.held_out))


@answers(
    RUNS,
    "a gradient that is not finite",
    "error; the weights stay as they were",
)
def test_a_gradient_that_is_not_finite_is_named_and_not_followed(drawn):
    rectifier = Rectifier(WIDTH)
    before = rectifier.out.bias.detach().clone()
    rectifier.out.bias.register_hook(lambda gradient: gradient * math.inf)
    message = r"step 1: gradient \(contents 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10\) is (nan|inf)"
    with pytest.raises(SriqaError, match=message):
        train_rectifier(rectifier, Biased(), drawn, RectifierConfig(), 0, Memory())
    assert torch.equal(rectifier.out.bias, before)


@answers(
    RUNS,
    "a setting out of range",
    "error: its name, value and range",
)
@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("contents", 0), ("labelled_batch", 1), ("validate_every", 0)],
)
def test_settings_out_of_range_are_quoted(drawn, name, value):
    with pytest.raises(SriqaError, match=rf"rectifier\.{name} is {value}; it must be"):
        train(drawn, **{name: value})


@answers(
    RUNS,
    "a labelled set of one image",
    "error: pairs need two",
)
@pytest.mark.parametrize(("images", "labels"), [(1, 1), (5, 4)])
def test_labelled_sets_need_pairs_and_labels(drawn, images, labels):
    labelled = ((torch.zeros(images, 1, WIDTH), torch.zeros(labels)),)
    data = StageTwoData(drawn.results, drawn.mu, drawn.held_out, labelled)
    with pytest.raises(SriqaError, match=f"set 1 has {images} images? and {labels} labels?"):
        train(data)


@answers(
    RUNS,
    "too little GPU memory",
    "error: which setting to halve",
)
def test_out_of_gpu_memory_says_what_to_halve(drawn):
    class Full(Biased):
        def read(self, codes):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    message = r"out of GPU memory; set rectifier.contents=4 or rectifier.labelled_batch=32"
    with pytest.raises(SriqaError, match=message):
        train(drawn, model=Full(), contents=8)
    with pytest.raises(SriqaError, match=r"set rectifier\.contents=5$"):  # half of 11, not of 64
        train(StageTwoData(drawn.results, drawn.mu, drawn.held_out), model=Full(), contents=64)
