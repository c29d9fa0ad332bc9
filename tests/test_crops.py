from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from sriqa_metric.crops import CropPolicy, corners, enlarged_size, grid, read_crops, read_windows
from sriqa_metric.errors import SriqaError

SIDES = st.integers(224, 3000)
POLICY = CropPolicy()


@given(SIDES, SIDES)
def test_corners_are_different_windows_of_the_grid(height, width):
    found = corners(height, width, POLICY)
    tops, lefts = grid(height, POLICY), grid(width, POLICY)
    assert len(set(found)) == len(found) == min(15, len(tops) * len(lefts))
    assert {top for top, _ in found} <= set(tops)
    assert {left for _, left in found} <= set(lefts)


@given(SIDES, SIDES)
def test_corners_reach_all_four_edges(height, width):
    found = corners(height, width, POLICY)
    assert {min(t for t, _ in found), min(x for _, x in found)} == {0}
    assert max(t for t, _ in found) == height - 224
    assert max(x for _, x in found) == width - 224


@given(SIDES, SIDES, st.integers(1, 40))
def test_any_number_of_crops_is_given_exactly(height, width, number):
    policy = CropPolicy(number=number)
    windows = len(grid(height, policy)) * len(grid(width, policy))
    assert len(set(corners(height, width, policy))) == min(number, windows)


def test_crops_of_a_wide_image_stand_dense_along_its_length():
    lefts = sorted(left for _, left in corners(480, 1920, POLICY))
    gaps = [b - a for a, b in pairwise(lefts)]
    assert max(gaps) <= 336


def test_the_grid_widens_from_1024_on():
    assert grid(1023, POLICY)[1] == 32
    assert grid(1024, POLICY)[1] == 48


def test_an_exact_window_is_one_crop():
    assert corners(224, 224, POLICY) == [(0, 0)]


def test_crops_are_the_pixels_of_the_image(picture):
    crops = read_crops(picture, POLICY)
    where = corners(300, 340, POLICY)
    assert crops.shape == (15, 3, 224, 224)
    for crop, (top, left) in zip(crops, where, strict=True):
        expected = picture[:, top : top + 224, left : left + 224].float() / 255
        assert torch.equal(crop, expected)


@pytest.mark.parametrize("size", [(1, 1), (100, 150), (223, 225), (8, 700), (300, 57), (200, 200)])
def test_small_images_are_enlarged_as_torch_does(size, rng):
    image = torch.from_numpy(rng.random((3, *size), dtype="float32"))
    target = enlarged_size(*size, 224)
    whole = F.interpolate(image[None], size=target, mode="bicubic")[0].clamp(0, 1)
    where = corners(*target, POLICY)
    expected = torch.stack([whole[:, t : t + 224, x : x + 224] for t, x in where])
    # torch finds its sampling points in float32, whose error grows with the enlarged length.
    assert (read_windows(image, where, 224) - expected).abs().max() < 2e-4


def test_enlarging_reads_only_the_windows():
    image = torch.zeros(3, 1, 2_000_000)  # enlarged whole, 224 x 448,000,000
    assert read_crops(image, POLICY).shape == (15, 3, 224, 224)


def test_gradients_reach_every_pixel_of_a_small_image():
    image = torch.rand(3, 30, 40, requires_grad=True)
    read_crops(image, POLICY).sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()


@pytest.mark.parametrize("bad", [{"size": 0}, {"number": 1.5}, {"stride": True}])
def test_a_bad_policy_is_quoted(bad):
    ((name, value),) = bad.items()
    with pytest.raises(
        SriqaError, match=f"{name} must be an integer from 1 to 10000, not {value!r}"
    ):
        CropPolicy(**bad)


def test_a_policy_survives_storage():
    policy = CropPolicy(number=7)
    assert CropPolicy.from_dict(policy.to_dict()) == policy
    whole = policy.to_dict()
    short = {name: value for name, value in whole.items() if name != "wide"}
    for strange in (whole | {"sise": 3}, short, {}, [1], None, {"number": 3}):
        with pytest.raises(SriqaError, match="expected size, number, stride, wide_stride, wide"):
            CropPolicy.from_dict(strange)
