"""What the bundled weights are, and what they have learnt."""

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.data.distortions import ladder, recompressed
from sriqa_metric.calibrate.data.mos_sets import read_labelled
from sriqa_metric.calibrate.data.sr_results import pixels, read_sr_results
from sriqa_metric.calibrate.statistics import method_srcc, severity_right, srcc
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
    assert description["crop_policy"]["number"] == 6
    data = description["training_data"]
    assert data["biq2021"]["images"] == 9000
    assert data["methods"][:2] == ["HR", "osediff"]


@pytest.mark.parametrize("name", ["gaussian_blur", "white_noise", "jpeg", "impulse_noise"])
def test_stronger_distortion_scores_lower(lite, name):
    rng = np.random.default_rng(0)
    path = EXAMPLES / "astronaut_realesrgan_x4plus.png"
    with Image.open(path) as image:
        photo = np.asarray(image.convert("RGB"))[100:400, 100:400]
    scores = lite.score(list(ladder(photo, name, 4, rng)))
    # The first step of a compression is hardly seen.
    assert severity_right(np.array([scores])) >= 0.8
    assert scores[0] > max(scores[3:])


def test_compression_that_is_seen_lowers_the_score(lite):
    images = [pixels(path) for path in RESULTS]
    plain = np.array(lite.score(images))
    traced = np.array(lite.score([recompressed(image, "JPEG", 40) for image in images]))
    assert (traced < plain).all()


@pytest.mark.parametrize(("codec", "quality"), [("WEBP", 90), ("JPEG", 90), ("JPEG", 75)])
def test_traces_of_compression_hardly_raise_the_score(lite, codec, quality):
    """All rated photographs had been through JPEG, no SR result had."""
    images = [pixels(path) for path in RESULTS]
    plain = np.array(lite.score(images))
    traced = np.array(lite.score([recompressed(image, codec, quality) for image in images]))
    assert (traced - plain).mean() < 0.3 * plain.std()


def test_an_enlarged_input_does_not_stand_above_a_result(lite):
    for content in ("astronaut", "chelsea", "coffee"):
        best = EXAMPLES / f"{content}_realesrgan_x4plus.png"
        with Image.open(best) as result, Image.open(EXAMPLES / f"{content}_LR.png") as small:
            small = small.convert("RGB")
            enlarged = [
                small.resize(result.size, kernel)
                for kernel in (Image.Resampling.NEAREST, Image.Resampling.LANCZOS)
            ]
        *low, high = lite.score([*enlarged, best])
        assert max(low) < high


@pytest.mark.slow
def test_a_score_tells_what_people_said_of_photographs_never_seen(lite, real_data):
    """Centres of test photographs of BIQ2021, MOS of the whole."""
    rated = read_labelled("mos", real_data / "biq2021-crops")
    rated = rated.select(np.array(rated.splits) == "test")
    scores, levels = np.array(lite.score(list(rated.paths))), 1 + 4 * rated.mos
    assert srcc(scores, rated.mos) > 0.75
    means = [levels[abs(scores - around) < 0.5].mean() for around in (1.5, 2.5, 3.5, 4.5)]
    assert (np.diff(means) > 0.2).all()


@pytest.mark.slow
def test_real_results_stand_in_the_order_of_the_ranking(lite, real_data):
    """Methods of a set that was not trained on, in the order of kinds that people found."""
    root = real_data / "sr-mini"
    sr = read_sr_results(root, root / "ranking_human_classes.csv")
    some = sr.contents[::9]
    scores = [lite.score([sr.paths[method, content] for content in some]) for method in sr.methods]
    assert method_srcc(np.array(scores), sr.mu) > 0.9
