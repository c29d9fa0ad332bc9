import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sriqa_metric.calibrate.training.losses import (
    fidelity,
    group_loss,
    labelled_loss,
    levels_of,
    order_loss,
    pair_targets,
    preference,
)
from sriqa_metric.models.rectifier import Rectifier


def phi(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def literal_group_loss(scores: np.ndarray, mu: np.ndarray) -> float:
    """Eq. (3) to (5), one image and one pair at a time."""
    losses = []
    for i, j in itertools.combinations(range(len(mu)), 2):
        r = 1.0 if mu[i] > mu[j] else 0.0 if mu[i] < mu[j] else 0.5
        first = second = 0.0
        for b in range(scores.shape[1]):
            first += scores[i, b] / scores.shape[1]
            second += scores[j, b] / scores.shape[1]
        p = phi((first - second) / math.sqrt(2))
        losses.append(1 - math.sqrt(r * p) - math.sqrt((1 - r) * (1 - p)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("methods", [2, 5])
@pytest.mark.parametrize("contents", [1, 8])
def test_group_loss_equals_the_literal_loop(methods, contents, rng):
    scores = rng.normal(size=(methods, contents))
    mu = np.append(rng.normal(size=methods - 1), 0.0)
    mu[0] = mu[-1]
    found = group_loss(torch.from_numpy(scores), torch.from_numpy(mu)).item()
    assert found == pytest.approx(literal_group_loss(scores, mu), abs=1e-10)


@pytest.mark.parametrize("images", [2, 9])
def test_labelled_loss_equals_the_literal_loop(images, rng):
    scores, mos = rng.normal(size=images), rng.integers(3, size=images).astype(float)
    found = labelled_loss(torch.from_numpy(scores), torch.from_numpy(mos)).item()
    assert found == pytest.approx(literal_group_loss(scores[:, None], mos), abs=1e-10)


def test_labels_count_by_order_alone(rng):
    scores, mos = torch.from_numpy(rng.normal(size=8)), torch.from_numpy(rng.normal(size=8))
    assert labelled_loss(scores, mos) == labelled_loss(scores, 100 * mos.exp())


def test_several_groups_are_averaged(rng):
    scores, mu = torch.from_numpy(rng.normal(size=(3, 4, 5))), torch.arange(4.0)
    alone = [group_loss(group, mu) for group in scores]
    assert torch.allclose(group_loss(scores, mu), torch.stack(alone).mean())


def test_gradients_agree_with_finite_differences():
    scores = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    mu = torch.tensor([1.0, 0.0, 0.0, -2.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda s: group_loss(s, mu), scores)
    assert torch.autograd.gradcheck(order_loss, scores)
    assert torch.autograd.gradcheck(lambda s: labelled_loss(s, mu), scores[:, 0])


def test_gradients_of_the_rectifier_agree_with_finite_differences():
    torch.manual_seed(0)
    rectifier = Rectifier(5).double().eval()
    torch.nn.init.normal_(rectifier.out.weight, std=0.3)
    features = torch.randn(3, 4, 5, dtype=torch.float64)
    mu = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    names = [name for name, _ in rectifier.named_parameters()]

    def loss(*parameters):
        named = dict(zip(names, parameters, strict=True))
        alpha, beta = torch.func.functional_call(rectifier, named, features)
        return group_loss(alpha * features[..., 0] + beta, mu)

    assert torch.autograd.gradcheck(loss, tuple(rectifier.parameters()))


@given(st.floats(-60, 60), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_fidelity_and_its_gradient_are_finite_far_out(difference, target):
    x = torch.tensor(difference, dtype=torch.float64, requires_grad=True)
    loss = fidelity(torch.tensor(target, dtype=torch.float64), x)
    loss.backward()
    assert -1e-12 <= loss.item() <= 1
    assert x.grad is not None
    assert x.grad.isfinite()


def test_fidelity_is_zero_exactly_where_prediction_and_label_agree():
    difference = torch.linspace(-2, 2, 9, dtype=torch.float64)
    assert torch.allclose(
        fidelity(preference(difference), difference), torch.zeros(9).double(), atol=1e-12
    )


def test_labels_of_equal_methods_are_a_half():
    assert pair_targets(torch.tensor([2.0, 1.0, 1.0])).tolist() == [1, 1, 0.5]
    assert pair_targets(torch.tensor([0.0, 1.0, 1.0])).tolist() == [0, 0, 0.5]


def test_soft_labels_tell_how_far_two_are_apart():
    values = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)
    normal = NormalDist()
    assert pair_targets(values, soft=True).tolist() == pytest.approx(
        [normal.cdf(1 / 2**0.5)] * 2 + [0.5], abs=1e-12
    )
    assert group_loss(values[:, None] + 5, values, soft=True).item() == pytest.approx(0, abs=1e-9)
    assert group_loss(values[:, None] + 5, values).item() > 0.05
    assert labelled_loss(values, values, soft=True).item() == pytest.approx(0, abs=1e-9)
    further = labelled_loss(3 * values, values, soft=True)
    assert further > labelled_loss(1.1 * values, values, soft=True)


def test_mos_of_any_unit_become_five_levels():
    assert levels_of(torch.tensor([20.0, 60.0, 100.0])).tolist() == [1, 3, 5]
    assert levels_of(torch.tensor([0.0, 0.25, 1.0])).tolist() == [1, 2, 5]
    assert levels_of(torch.tensor([7.0, 7.0])).tolist() == [3, 3]


def test_order_loss_prefers_the_right_order():
    right = torch.tensor([[3.0, 2.0, 1.0]])
    assert order_loss(right) < order_loss(right.flip(1))
