"""The rectifier learns what a biased quality model hides, and starts from that model."""

import itertools
import math

import pytest
import torch
from torch import nn

from sriqa_metric.calibrate.config import RectifierConfig
from sriqa_metric.calibrate.data.distortions import FINE_STEPS, RUINS
from sriqa_metric.calibrate.statistics import pairs_right
from sriqa_metric.calibrate.training.losses import group_loss, levels_of, preference
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.stage_two_data import StageTwoData
from sriqa_metric.models.rectifier import Rectifier
from tests.calibrate.training.rectifier_world import WIDTH, Biased, Memory, Spy, same, train


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
