import math
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from sriqa_metric.crops import (
    CropPolicy,
    corners,
    enlarged_size,
    grid_count,
    grid_start,
    image_corners,
    read_crops,
    read_windows,
    scattered,
)
from sriqa_metric.errors import SriqaError

SIDES = st.integers(224, 3000)
POLICY = CropPolicy()


def grid(length: int, policy: CropPolicy) -> list[int]:
    """The rule of the grid as a list of all windows."""
    stride = policy.wide_stride if length >= policy.wide else policy.stride
    last = length - policy.size
    starts = list(range(0, last + 1, stride))
    if starts[-1] != last:
        starts.append(last)
    return starts


def listed_corners(height: int, width: int, policy: CropPolicy) -> list[tuple[int, int]]:
    """The rule of the corners, from lists of all windows."""
    tops, lefts, number = grid(height, policy), grid(width, policy), policy.number
    if len(tops) * len(lefts) <= number:
        return [(top, left) for top in tops for left in lefts]
    if min(len(tops), len(lefts)) >= number:
        turns = (np.arange(number) - (number - 1) / 2) * (math.sqrt(5) - 1) / 2
        across = (turns + 0.5) % 1
        across = (across - across.min()) / max(np.ptp(across), 1e-9) if number > 1 else [0.5]
        down = np.linspace(0, 1, number) if number > 1 else [0.5]
        return [
            (nearest(top, height - policy.size), nearest(left, width - policy.size))
            for top, left in zip(down, across, strict=True)
        ]
    fewest = max(-(-number // len(lefts)), min(2, len(tops), number))
    most = min(len(tops), number // min(2, len(lefts), number))
    rows = max(fewest, min(most, round((number * height / width) ** 0.5)))
    found = []
    for row in range(rows):
        count = number * (row + 1) // rows - number * row // rows
        for column in range(count):
            found.append((spread(row, rows, tops), spread(column, count, lefts)))
    return found


def nearest(place: float, room: int) -> int:
    """`place` times `room`, rounded where a part in 65536 of the room can tell no pixel."""
    return math.floor(round(65536 * place) * room / 65536 + 0.5)


def spread(index: int, count: int, starts: list[int]) -> int:
    last = len(starts) - 1
    return starts[last // 2 if count == 1 else (index * last + (count - 1) // 2) // (count - 1)]


POLICIES = st.builds(
    CropPolicy,
    size=st.integers(1, 224),
    number=st.integers(1, 40),
    stride=st.integers(1, 300),
    wide_stride=st.integers(1, 300),
    wide=st.integers(1, 2000),
)


@given(st.integers(224, 20_000), POLICIES)
def test_the_grid_is_counted_as_it_would_be_listed(length, policy):
    starts = grid(length, policy)
    assert grid_count(length, policy) == len(starts)
    assert [grid_start(index, length, policy) for index in range(len(starts))] == starts


@given(SIDES, SIDES, POLICIES)
def test_corners_are_those_of_the_listed_grid(height, width, policy):
    assert corners(height, width, policy) == listed_corners(height, width, policy)


@given(SIDES, SIDES)
def test_corners_are_different_windows(height, width):
    found = corners(height, width, POLICY)
    tops, lefts = grid(height, POLICY), grid(width, POLICY)
    assert len(set(found)) == len(found) == min(15, len(tops) * len(lefts))
    if min(len(tops), len(lefts)) < 15:
        assert {top for top, _ in found} <= set(tops)
        assert {left for _, left in found} <= set(lefts)


@given(SIDES, SIDES, st.integers(2, 40))
def test_corners_reach_all_four_edges(height, width, number):
    found = corners(height, width, CropPolicy(number=number))
    assert {min(t for t, _ in found), min(x for _, x in found)} == {0}
    assert max(t for t, _ in found) == height - 224
    assert max(x for _, x in found) == width - 224


@given(SIDES, SIDES, st.integers(1, 40))
def test_any_number_of_crops_is_given_exactly(height, width, number):
    policy = CropPolicy(number=number)
    windows = len(grid(height, policy)) * len(grid(width, policy))
    assert len(set(corners(height, width, policy))) == min(number, windows)


@given(st.integers(1, 40), st.data())
def test_crops_have_rows_and_columns_of_their_own_where_there_are_enough(number, data):
    enough = st.integers(224 + 32 * max(number - 1, 1), 4000)
    policy = CropPolicy(number=number, wide_stride=32)
    found = corners(data.draw(enough), data.draw(enough), policy)
    for places in zip(*found, strict=True):
        assert len(set(places)) == number


@pytest.mark.parametrize("number", range(4, 41))
def test_neighbours_lie_far_apart(number):
    across = [place / 65536 for _, place in scattered(number)]
    assert min(abs(a - b) for a, b in pairwise(across)) >= 1 / 3
    gaps = [b - a for a, b in pairwise(sorted(across))]
    assert max(gaps) <= 2 / number


def test_crops_see_more_than_one_phase_of_jpeg_blocks():
    found = corners(512, 512, CropPolicy(number=6))
    for places in zip(*found, strict=True):
        assert len({place % 8 for place in places}) >= 4


def test_crops_of_a_wide_image_stand_dense_along_its_length():
    lefts = sorted(left for _, left in corners(480, 1920, POLICY))
    gaps = [b - a for a, b in pairwise(lefts)]
    assert max(gaps) <= 336


def test_the_grid_widens_from_1024_on():
    assert grid_start(1, 1023, POLICY) == 32
    assert grid_start(1, 1024, POLICY) == 48


def test_an_exact_window_is_one_crop():
    assert corners(224, 224, POLICY) == [(0, 0)]


def test_crops_are_the_pixels_of_the_image(picture):
    crops = read_crops(picture, POLICY)
    where = corners(300, 340, POLICY)
    assert crops.shape == (15, 3, 224, 224)
    for crop, (top, left) in zip(crops, where, strict=True):
        expected = picture[:, top : top + 224, left : left + 224].float() / 255
        assert torch.equal(crop, expected)


@pytest.mark.answers(
    "Work and memory", "an image smaller than a crop, even of one pixel", "enlarged and scored"
)
@pytest.mark.parametrize("size", [(1, 1), (100, 150), (223, 225), (8, 700), (300, 57), (200, 200)])
def test_small_images_are_enlarged_as_torch_does(size, rng):
    image = torch.from_numpy(rng.random((3, *size), dtype="float32"))
    target = enlarged_size(*size, 224)
    whole = F.interpolate(image[None], size=target, mode="bicubic")[0].clamp(0, 1)
    where = corners(*target, POLICY)
    expected = torch.stack([whole[:, t : t + 224, x : x + 224] for t, x in where])
    # torch finds its sampling points in float32, whose error grows with the enlarged length.
    assert (read_windows(image, where, 224) - expected).abs().max() < 2e-4


@pytest.mark.answers("Work and memory", "any image", "only its crops are read and scored")
@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 40))
def test_sides_of_any_length_have_their_crops_at_once(height, width, number):
    policy = CropPolicy(number=number)
    tall, wide = enlarged_size(height, width, 224)
    found = image_corners(height, width, policy)
    windows = grid_count(tall, policy) * grid_count(wide, policy)
    assert len(set(found)) == len(found) == min(number, windows)
    assert all(0 <= top <= tall - 224 and 0 <= left <= wide - 224 for top, left in found)


@pytest.mark.answers(
    "Work and memory",
    "an image far longer than wide, 2,000,000×1 pixels",
    "scored from its crops, in the memory of any other image",
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_long_thin_image_is_read_at_its_crops_only(turned):
    image = torch.linspace(0, 1, 2_000_000).expand(3, 1, -1)  # enlarged, 224 x 448,000,000
    image = image.mT if turned else image
    tracemalloc.start()
    crops = read_crops(image, POLICY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert crops.shape == (15, 3, 224, 224)
    assert peak < 1e6  # Python's own, lists of windows above all
    # The ramp is seen from end to end.
    middle = crops.mean((1, 2, 3))
    assert middle.diff().min() > 0
    assert middle[[0, -1]].tolist() == pytest.approx([0, 1], abs=1e-3)


def test_gradients_reach_every_pixel_of_a_small_image():
    image = torch.rand(3, 30, 40, requires_grad=True)
    read_crops(image, POLICY).sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()


@pytest.mark.answers(
    "Work and memory",
    "a crop policy of more than 50 million pixels in an image's crops",
    "error: at most that",
)
def test_a_policy_asks_for_a_bounded_number_of_pixels():
    assert CropPolicy(size=1000, number=50).number == 50
    with pytest.raises(SriqaError, match="size·size·number must be at most 50000000, not 1000·"):
        CropPolicy(size=1000, number=51)
    with pytest.raises(SriqaError, match="not 10000·10000·1"):
        CropPolicy.from_dict(CropPolicy().to_dict() | {"size": 10_000, "number": 1})


@pytest.mark.answers(
    "Weights and the Hub", "a crop policy with a value out of its range", "error that quotes it"
)
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
