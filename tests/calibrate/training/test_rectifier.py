"""The rectifier learns what a biased quality model hides, and starts from that model."""

import copy
import csv
import itertools
import math

import pytest
import torch
from torch import nn

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.data.distortions import FINE_STEPS, RUINS, VERSIONS
from sriqa_metric.calibrate.statistics import pairs_right
from sriqa_metric.calibrate.training.losses import group_loss, levels_of, preference
from sriqa_metric.calibrate.training.rectifier import StageTwoData, train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.errors import SriqaError
from sriqa_metric.models.rectifier import Rectifier

METHODS, WIDTH = 6, 16


class Biased(nn.Module):
    """Reads quality from the first number of a code: true quality plus a bias by method."""

    feature_dim = WIDTH
    crops_per_pass = 5

    def read(self, codes):
        return codes[:, 0], codes


class Spy(Biased):
    """Remembers the codes of every reading."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def read(self, codes):
        self.seen.append(codes)
        return super().read(codes)


class Memory:
    """A folder that keeps everything as it is."""

    def __init__(self):
        self.losses, self.states = {}, {}

    def log(self, stage, step, losses):
        self.losses[step] = losses

    def save(self, stage, step, state):
        self.states[step] = copy.deepcopy(state)

    def resume(self, stage):
        return None


@pytest.fixture
def world():
    """Codes (METHODS, 40, WIDTH): quality with the wrong order of methods, and what tells them."""
    generator = torch.Generator().manual_seed(0)
    mu = torch.linspace(1, -1, METHODS)
    codes = torch.randn(METHODS, 40, WIDTH, generator=generator) * 0.3
    codes[..., 0] += mu[[3, 5, 1, 0, 4, 2], None]  # planted bias
    codes[..., 1] += 2 * mu[:, None]
    ladders = torch.zeros(20, VERSIONS, WIDTH)
    ladders[..., 0] = torch.linspace(1, -1, VERSIONS)
    return StageTwoData(codes[:, :30].unsqueeze(2), mu, codes[:, 30:], ladders=ladders)


@pytest.fixture
def drawn():
    """Two labelled sets and K = 2 draws; the content and the version can be told from a code."""
    generator = torch.Generator().manual_seed(0)
    results = torch.randn(3, 11, 3, WIDTH, generator=generator)
    results[..., 2] = torch.arange(11.0)[:, None]
    results[..., 3] = torch.arange(3.0)
    labelled = tuple(
        (torch.randn(m, k, WIDTH, generator=generator), torch.arange(m) // 2)
        for m, k in ((9, 3), (7, 1))
    )
    held_out = torch.randn(3, 4, WIDTH, generator=generator)
    ladders = torch.randn(5, VERSIONS, WIDTH, generator=generator)
    return StageTwoData(results, torch.tensor([1.0, 0.0, 0.0]), held_out, labelled, ladders)


def train(data, folder=None, model=None, seed=0, **settings) -> Rectifier:
    torch.manual_seed(0)
    rectifier = Rectifier(WIDTH)
    config = RectifierConfig(**{"contents": 16, **settings})
    train_rectifier(rectifier, model or Biased(), data, config, seed, folder or Memory())
    return rectifier


def same(first, second) -> bool:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_planted_ranking_is_recovered_on_held_out_contents(world):
    def right(rectifier):
        with torch.no_grad():
            scores = rectifier.calibrate(world.held_out[..., 0], world.held_out)
        return pairs_right(scores.numpy(), world.mu.numpy())

    assert right(Rectifier(WIDTH).eval()) < 0.6
    assert right(train(world, epochs=200, lr=3e-3)) > 0.9


def test_the_identity_weight_holds_the_rectifier_to_the_quality_model(world):
    """Few contents teach little of α and β that holds elsewhere; a weight keeps them small."""

    def departure(weight):
        memory = Memory()
        rectifier = train(world, memory, epochs=60, lr=3e-3, identity_weight=weight)
        with torch.no_grad():
            alpha, beta = rectifier(world.held_out)
        return ((alpha - 1) ** 2 + beta**2).mean().item(), memory.losses[60]

    free, without = departure(0.0)
    held, log = departure(3.0)
    assert held < free / 2
    assert "identity" not in without
    assert log["identity"] > 0


def test_labelled_images_tell_what_the_group_loss_does_not(world):
    """Without a weight on groups, MOS alone teach that the third number counts."""
    codes = torch.randn(200, 1, WIDTH, generator=torch.Generator().manual_seed(1))
    labelled = ((codes, codes[:, 0, 2]),)
    data = StageTwoData(world.results, world.mu, world.held_out, labelled)
    folder = Memory()
    settings = {"epochs": 150, "lr": 3e-3, "group_weight": 0.0, "validate_every": 10}
    train(data, folder, **settings)
    assert folder.losses[150]["set 1"] < 0.7 * folder.losses[10]["set 1"]


def test_no_epochs_leave_the_quality_model_exactly_as_it_is(world):
    rectifier = train(world, epochs=0)
    quality = world.held_out[..., 0]
    assert torch.equal(rectifier.calibrate(quality, world.held_out), quality)


def test_training_starts_from_the_quality_model_exactly(world):
    folder = Memory()
    train(world, folder, epochs=1, validate_every=1)
    quality = world.held_out[..., 0]
    assert folder.losses[0]["validation"] == group_loss(quality.T.unsqueeze(-1), world.mu)
    chosen = torch.randperm(30, generator=torch.Generator().manual_seed(0))[:16]
    assert folder.losses[1]["group"] == group_loss(world.results[:, chosen, 0, 0], world.mu)


def phi(x):
    return (1 + torch.erf(x / math.sqrt(2))) / 2


def literal_fidelity(label, difference):
    p = phi(difference / math.sqrt(2))
    return 1 - label**0.5 * p.sqrt() - (1 - label) ** 0.5 * (1 - p).sqrt()


def literal_label(first, second):
    return 1.0 if first > second else 0.0 if first < second else 0.5


def test_a_step_equals_equation_six_image_by_image(drawn):
    """Losses, and the gradient as AdamW got it, in double precision."""
    data = StageTwoData(
        drawn.results.double(),
        drawn.mu.double(),
        drawn.held_out.double(),
        tuple((codes.double(), mos) for codes, mos in drawn.labelled),
        drawn.ladders.double(),
    )
    torch.manual_seed(0)
    rectifier = Rectifier(WIDTH).double()
    rectifier.dropout.p = 0.0
    nn.init.normal_(rectifier.out.weight, std=0.1)
    initial = [p.detach().clone().requires_grad_() for p in rectifier.parameters()]
    settings = {"contents": 4, "labelled_batch": 5, "labelled_weight": 0.3, "group_weight": 0.7}
    settings |= {"ladders": 6, "fine_weight": 0.2, "ruin_weight": 0.1, "trace_weight": 0.3}
    folder = Memory()
    config = RectifierConfig(epochs=1, validate_every=1, **settings)
    train_rectifier(rectifier, Biased(), data, config, 3, folder)

    def score(code):
        hidden = (initial[0] @ code + initial[1]).clamp(min=0)
        s, beta = initial[2] @ hidden + initial[3]
        return torch.log(1 + (s + math.log(math.e - 1)).exp()) * code[0] + beta

    def pairs(scores, labels):
        found = [
            literal_fidelity(literal_label(labels[i], labels[j]), scores[i] - scores[j])
            for i, j in itertools.combinations(range(len(scores)), 2)
        ]
        return sum(found) / len(found)

    generator = torch.Generator().manual_seed(3)
    chosen = torch.randperm(11, generator=generator)[:4]
    draws = torch.randint(1, 3, (3, 4), generator=generator)
    means = []
    for method in range(3):
        codes = [data.results[method, c, draws[method, b]] for b, c in enumerate(chosen)]
        means.append(sum(score(code) for code in codes) / 4)
    literal = {"group": pairs(means, data.mu)}
    for k, (codes, mos) in enumerate(data.labelled):
        picked = torch.randperm(len(codes), generator=generator)[:5]
        draw = torch.randint(1, 3, (5,), generator=generator) if k == 0 else [0] * 5
        scores = [score(codes[i, v]) for i, v in zip(picked, draw, strict=True)]
        literal[f"set {k + 1}"] = pairs(scores, mos[picked])
    picked = torch.randint(5, (6,), generator=generator)
    literal["ladders"] = 0
    for order in picked:
        best, *rest = [score(code) for code in data.ladders[order]]
        fine = pairs([best, *rest[:FINE_STEPS]], list(range(1 + FINE_STEPS, 0, -1)))
        *ruined, traced = rest[FINE_STEPS:]
        ruin = sum(literal_fidelity(1.0, best - worse) for worse in ruined) / RUINS
        trace = literal_fidelity(
            phi(torch.tensor(0.15 / math.sqrt(2), dtype=torch.float64)), best - traced
        )
        literal["ladders"] += (0.2 * fine + 0.1 * ruin + 0.3 * trace) / 6

    weights = {"group": 0.7, "set 1": 0.3, "set 2": 0.3, "ladders": 1.0}
    for name, loss in literal.items():
        assert folder.losses[1][name] == pytest.approx(weights[name] * loss.item(), abs=1e-10)
    total = sum(weights[name] * loss for name, loss in literal.items())
    gradients = torch.autograd.grad(total, initial)
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    moments = folder.states[1]["optimizer"]["state"]
    for index, gradient in enumerate(gradients):
        seen = moments[index]["exp_avg"] / 0.1
        assert torch.allclose(seen, gradient / max(1.0, norm + 1e-6), atol=1e-10, rtol=1e-10)


def test_groups_of_a_step_are_compared_each_on_its_own(world):
    folder = Memory()
    train(world, folder, epochs=1, validate_every=1, contents=2, groups=3)
    assert max(folder.losses) == 30 // 6
    chosen = torch.randperm(30, generator=torch.Generator().manual_seed(0))[:6]
    quality = world.results[:, chosen, 0, 0]
    each = [group_loss(quality[:, i : i + 2], world.mu) for i in (0, 2, 4)]
    assert folder.losses[1]["group"] == pytest.approx(torch.stack(each).mean().item(), abs=1e-6)


def test_soft_labels_are_reached_by_scores_that_lie_as_far_apart(drawn):
    """Of MOS in levels, and of the ranking as it is."""
    folder = Memory()
    train(drawn, folder, epochs=1, validate_every=1, contents=1, soft=True, labelled_batch=9)
    generator = torch.Generator().manual_seed(0)
    content = torch.randperm(11, generator=generator)[:1]
    draws = torch.randint(1, 3, (3, 1), generator=generator)
    scores = drawn.results[torch.arange(3), content, draws[:, 0], 0]

    def literal(values, scores):
        pairs = itertools.combinations(range(len(values)), 2)
        losses = [
            literal_fidelity(preference(values[i] - values[j]), scores[i] - scores[j])
            for i, j in pairs
        ]
        return sum(losses).item() / len(losses)

    assert folder.losses[1]["group"] == pytest.approx(literal(drawn.mu, scores), abs=1e-6)
    codes, mos = drawn.labelled[0]
    picked = torch.randperm(9, generator=generator)
    draw = torch.randint(1, 3, (9,), generator=generator)
    expected = literal(levels_of(mos.float())[picked], codes[picked, draw, 0])
    assert folder.losses[1]["set 1"] == pytest.approx(expected, abs=1e-6)


def test_an_epoch_takes_each_content_once_with_random_draws(drawn):
    model = Spy()
    settings = {"contents": 3, "epochs": 2, "labelled_weight": 0.0, "validate_every": 100}
    train(drawn, model=model, **settings)
    steps = [codes.view(3, 3, WIDTH) for codes in model.seen[1:]]  # the first is the held-out
    assert len(steps) == 2 * (11 // 3)
    for codes in steps:
        assert (codes[..., 2] == codes[0, :, 2]).all()  # every method on the same contents
    for epoch in (steps[:3], steps[3:]):
        assert len(torch.cat([codes[0, :, 2] for codes in epoch]).unique()) == 9
    versions = torch.stack(steps)[..., 3]
    assert versions.unique().tolist() == [1, 2]  # 0 are the test crops
    assert (versions != versions[:, :1]).any()  # drawn for each image


def test_a_group_larger_than_the_contents_takes_them_all(drawn):
    model = Spy()
    train(drawn, model=model, contents=64, epochs=2, labelled_weight=0.0)
    assert [len(codes) for codes in model.seen] == [3 * 4, 3 * 11, 3 * 11]


def test_best_state_on_held_out_contents_is_kept(drawn):
    folder = Memory()
    rectifier = train(drawn, folder, epochs=40, contents=11, lr=0.01, validate_every=3)
    assert list(folder.losses) == [*range(0, 40, 3), 40]
    found = {step: losses["validation"] for step, losses in folder.losses.items()}
    best = min(found, key=found.get)
    assert best != 40
    for name, tensor in rectifier.state_dict().items():
        assert torch.equal(tensor, folder.states[best]["rectifier"][name])


def test_trained_rectifier_is_frozen_and_repeatable(drawn):
    first, second = (train(drawn, epochs=10) for _ in range(2))
    assert not first.training
    assert not any(parameter.requires_grad for parameter in first.parameters())
    assert same(first, second)


def test_training_leaves_the_random_state_of_its_caller(drawn):
    torch.manual_seed(7)
    expected = torch.rand(1)
    rectifier = Rectifier(WIDTH)
    torch.manual_seed(7)
    train_rectifier(rectifier, Biased(), drawn, RectifierConfig(epochs=3), 0, Memory())
    assert torch.equal(torch.rand(1), expected)


class Stopping(RunFolder):
    """Stops in the middle of its nth call."""

    def __init__(self, path, calls):
        super().__init__(path, {})
        self.left = calls

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def log(self, stage, step, losses):
        super().log(stage, step, losses)
        self._count()

    def save(self, stage, step, state):
        self._count()
        super().save(stage, step, state)


def rows(path):
    with (path / "log.csv").open(newline="") as stream:
        return [row[1:] for row in csv.reader(stream)]


def test_stopped_anywhere_it_ends_at_the_same_bits(drawn, tmp_path):
    settings = {"contents": 3, "epochs": 4, "labelled_batch": 4, "validate_every": 5, "lr": 0.01}
    with RunFolder(tmp_path / "whole", {}) as folder:
        whole = train(drawn, folder, **settings)
    for calls in range(8):  # 4 validations, each logged and saved
        path = tmp_path / str(calls)
        with pytest.raises(KeyboardInterrupt), Stopping(path, calls) as folder:
            train(drawn, folder, **settings)
        with RunFolder(path, {}) as folder:
            assert same(train(drawn, folder, **settings), whole)
        assert rows(path) == rows(tmp_path / "whole")


def test_a_finished_training_is_not_done_again(drawn, tmp_path):
    with RunFolder(tmp_path / "run", {}) as folder:
        first, model = train(drawn, folder, epochs=2), Spy()
        again = train(drawn, folder, model=model, epochs=2)
    assert same(first, again)
    assert not again.training
    assert len(model.seen) == 1  # the held-out codes
    assert len(rows(tmp_path / "run")) == len({tuple(row) for row in rows(tmp_path / "run")})


def test_a_training_of_another_kind_of_device_is_not_gone_on_with(drawn, tmp_path):
    with RunFolder(tmp_path, {}) as folder:
        train(drawn, folder, epochs=1)
        step, state = folder.resume("rectifier")
        state["generators"] *= 2  # CUDA has one of its own
        folder.save("rectifier", step, state)
        with pytest.raises(SriqaError, match="started on another kind of device than cpu"):
            train(drawn, folder, epochs=1)


def test_trainings_of_several_names_share_a_folder(drawn, tmp_path):
    with RunFolder(tmp_path / "run", {}) as folder:
        for stage in ("one", "two"):
            config = RectifierConfig(epochs=1)
            train_rectifier(Rectifier(WIDTH), Biased(), drawn, config, 0, folder, stage)
    assert {row[0] for row in rows(tmp_path / "run")[1:]} == {"one", "two"}


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


def test_a_loss_that_is_not_finite_is_named(drawn):
    class Broken(Biased):
        def read(self, codes):
            return codes[:, 0] * (math.nan if len(codes) == 7 else 1), codes

    message = r"rectifier: step 1: loss of set 2 \(images 0, 1, 2, 3, 4, 5, 6\) is nan"
    with pytest.raises(SriqaError, match=message):
        train(drawn, model=Broken())


def test_labels_and_rankings_that_are_not_finite_are_refused(drawn):
    mos = torch.arange(7.0)
    mos[3] = math.nan
    labelled = (drawn.labelled[0], (drawn.labelled[1][0], mos))
    with pytest.raises(SriqaError, match=r"labels of set 2 \(images 3\) are not finite"):
        train(StageTwoData(drawn.results, drawn.mu, drawn.held_out, labelled))
    mu = torch.tensor([1.0, math.inf, 0.0])
    with pytest.raises(SriqaError, match=r"ranking \[1.0, inf, 0.0\] is not finite"):
        train(StageTwoData(drawn.results, mu, drawn.held_out))


def test_a_gradient_that_is_not_finite_is_named_and_not_followed(drawn):
    rectifier = Rectifier(WIDTH)
    before = rectifier.out.bias.detach().clone()
    rectifier.out.bias.register_hook(lambda gradient: gradient * math.inf)
    message = r"step 1: gradient \(contents 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10\) is (nan|inf)"
    with pytest.raises(SriqaError, match=message):
        train_rectifier(rectifier, Biased(), drawn, RectifierConfig(), 0, Memory())
    assert torch.equal(rectifier.out.bias, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("contents", 0), ("labelled_batch", 1), ("validate_every", 0)],
)
def test_settings_out_of_range_are_quoted(drawn, name, value):
    with pytest.raises(SriqaError, match=rf"rectifier\.{name} is {value}; it must be"):
        train(drawn, **{name: value})


@pytest.mark.parametrize(("images", "labels"), [(1, 1), (5, 4)])
def test_labelled_sets_need_pairs_and_labels(drawn, images, labels):
    labelled = ((torch.zeros(images, 1, WIDTH), torch.zeros(labels)),)
    data = StageTwoData(drawn.results, drawn.mu, drawn.held_out, labelled)
    with pytest.raises(SriqaError, match=f"set 1 has {images} images and {labels} labels"):
        train(data)


def test_out_of_gpu_memory_says_what_to_halve(drawn):
    class Full(Biased):
        def read(self, codes):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    message = r"out of GPU memory; set rectifier.contents=4 or rectifier.labelled_batch=32"
    with pytest.raises(SriqaError, match=message):
        train(drawn, model=Full(), contents=8)
    with pytest.raises(SriqaError, match=r"set rectifier\.contents=5$"):  # half of 11, not of 64
        train(StageTwoData(drawn.results, drawn.mu, drawn.held_out), model=Full(), contents=64)
