"""The crops of a graph for any size are those of `crops.py`."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sriqa_metric import crops
from sriqa_metric import crops_of_any_size as any_size
from sriqa_metric.crops import CropPolicy

SIDES = st.integers(1, 5000)
POLICIES = st.builds(
    CropPolicy,
    size=st.integers(1, 300),
    number=st.integers(1, 60),
    stride=st.integers(1, 300),
    wide_stride=st.integers(1, 300),
    wide=st.integers(1, 2000),
)


def check_corners(height: int, width: int, policy: CropPolicy) -> None:
    size = crops.enlarged_size(height, width, policy.size)
    found = any_size.enlarged_size(torch.tensor(height), torch.tensor(width), policy.size)
    assert tuple(side.item() for side in found) == size
    tops, lefts = any_size.corners(*found, policy)
    assert list(zip(tops.tolist(), lefts.tolist(), strict=True)) == crops.corners(*size, policy)


@settings(max_examples=300, deadline=None)
@given(height=SIDES, width=SIDES, policy=st.just(CropPolicy()) | POLICIES)
def test_the_corners_are_the_same(height, width, policy):
    check_corners(height, width, policy)


@pytest.mark.parametrize("number", [9, 15])
def test_the_corners_are_the_same_where_rounding_is_a_tie(number):
    """Aspects whose number of rows lies halfway between two integers, and those beside them."""
    for half in range(1, 2 * number, 2):
        for side in (400, 900, 1600):
            height, width = side * half**2, side * 4 * number
            scale = max(height, width) // 4000 + 1
            for more in (-1, 0, 1):
                check_corners(height // scale + more, width // scale, CropPolicy(number=number))


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 700), width=st.integers(1, 700), number=st.integers(1, 9))
def test_the_windows_are_the_same(height, width, number):
    policy = CropPolicy(size=96, number=number)
    images = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height))
    found = any_size.crops_of_any_size(images, policy)
    expected = torch.stack([crops.read_crops(image, policy) for image in images])
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)
    if min(height, width) >= policy.size:
        assert torch.equal(found, expected)
