import torch

from sriqa_metric.models.rectifier import Rectifier


def test_untrained_rectifier_is_the_identity():
    rectifier = Rectifier(16).eval()
    quality, features = torch.randn(9), torch.randn(9, 16)
    assert torch.equal(rectifier.calibrate(quality, features), quality)


def test_alpha_is_positive_whatever_the_weights():
    rectifier = Rectifier(8).eval()
    with torch.no_grad():
        rectifier.out.weight.normal_(std=3)
        rectifier.out.bias.fill_(-20)
    alpha, _ = rectifier(torch.randn(1000, 8))
    assert (alpha > 0).all()


def test_score_is_alpha_times_quality_plus_beta():
    rectifier = Rectifier(4).eval()
    with torch.no_grad():
        rectifier.out.weight.normal_()
    quality, features = torch.randn(5), torch.randn(5, 4)
    alpha, beta = rectifier(features)
    assert torch.allclose(rectifier.calibrate(quality, features), alpha * quality + beta)


def test_first_gradient_moves_alpha_and_beta():
    rectifier = Rectifier(4)
    rectifier.calibrate(torch.ones(3), torch.randn(3, 4)).sum().backward()
    assert rectifier.out.bias.grad is not None
    assert (rectifier.out.bias.grad != 0).all()
