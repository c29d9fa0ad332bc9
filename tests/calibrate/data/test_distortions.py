import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.data.distortions import DISTORTIONS, ON_SR, ladder
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
