import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.data.distortions import (
    DISTORTIONS,
    FINE_STEPS,
    ON_SR,
    RUINS,
    VERSIONS,
    certain_order,
    ladder,
)
from tests.conftest import EXAMPLES


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    with Image.open(EXAMPLES / "astronaut_LR.png") as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_a_ladder_moves_ever_further_from_the_image(name, photo):
    steps = ladder(photo, name, 4, np.random.default_rng(1))
    assert steps.shape == (5, *photo.shape)
    assert steps.dtype == np.uint8
    assert (steps[0] == photo).all()
    error = ((steps - photo.astype(float)) ** 2).mean((1, 2, 3))
    assert (np.diff(error) >= 0).all()
    assert error[-1] > error[1] > 0


@pytest.mark.parametrize("name", DISTORTIONS)
def test_a_ladder_depends_on_its_seed_alone(name, photo):
    first, second = (ladder(photo, name, 2, np.random.default_rng(5)) for _ in range(2))
    assert (first == second).all()


def test_what_may_improve_a_result_is_not_counted_as_harm():
    assert set(ON_SR) < set(DISTORTIONS)
    assert {"oversharpened", "median_smoothing"}.isdisjoint(ON_SR)


@pytest.mark.parametrize("on_sr", [False, True])
def test_a_certain_order_is_an_image_its_blurs_its_ruins_and_a_trace(photo, on_sr):
    kinds = set()
    for seed in range(8):
        made = certain_order(photo, on_sr, np.random.default_rng(seed))
        assert made.shape == (VERSIONS, *photo.shape)
        assert (made[0] == photo).all()
        error = ((made - photo.astype(float)) ** 2).mean((1, 2, 3))
        assert (np.diff(error[: 1 + FINE_STEPS]) >= 0).all()
        ruins, (trace,) = error[1 + FINE_STEPS : -1], error[-1:]
        assert len(ruins) == RUINS
        assert (ruins > 0).all()
        assert 0 < trace < 150  # 26 dB and more
        again = certain_order(photo, on_sr, np.random.default_rng(seed))
        assert (made == again).all()
        kinds.add(made[-1].tobytes())
    assert len(kinds) == 8
