"""What the bundled weights are, and what they have learnt."""

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.data.distortions import ladder, recompressed
from sriqa_metric.calibrate.data.sr_results import pixels, read_sr_results
from sriqa_metric.calibrate.statistics import method_srcc, severity_right
from sriqa_metric.registry import CATALOG
from sriqa_metric.weights.format import read_file
from tests.conftest import EXAMPLES

BUNDLED = CATALOG["sriqa_lite"].bundled
RESULTS = sorted(EXAMPLES.glob("*_[bdr]*.png"))  # all but the LR inputs


def test_file_is_small_and_tells_its_making():
    assert BUNDLED is not None
    assert BUNDLED.stat().st_size < 10_000_000
    description = read_file(BUNDLED).description
    assert description["metric"] == "sriqa_lite"
    assert description["license"] == "Apache-2.0"
    assert len(description["training_data"]["methods"]) == 14


@pytest.mark.parametrize("name", ["gaussian_blur", "white_noise", "jpeg", "impulse_noise"])
def test_stronger_distortion_scores_lower(lite, name):
    rng = np.random.default_rng(0)
    path = EXAMPLES / "astronaut_realesrgan_x4plus.png"
    with Image.open(path) as image:
        photo = np.asarray(image.convert("RGB"))[100:400, 100:400]
    scores = lite.score(list(ladder(photo, name, 4, rng)))
    assert severity_right(np.array([scores])) >= 0.9


def test_traces_of_compression_do_not_raise_the_score(lite):
    """The pristine photos had been through WebP, the SR results had not."""
    images = [pixels(path) for path in RESULTS]
    plain = np.array(lite.score(images))
    traced = np.array(lite.score([recompressed(image, "WEBP", 90) for image in images]))
    assert (traced > plain).mean() <= 0.5
    assert (traced - plain).mean() < 0.05 * plain.std()


@pytest.mark.slow
def test_real_results_stand_in_the_order_of_the_ranking(lite, real_data):
    root = real_data / "sr-mini"
    sr = read_sr_results(root, root / "ranking.csv")
    some = sr.contents[::9]
    scores = [lite.score([sr.paths[method, content] for content in some]) for method in sr.methods]
    assert method_srcc(np.array(scores), sr.mu) > 0.9
