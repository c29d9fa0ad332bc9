"""Metrics of the package as scorers."""

import pytest

from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.scorers.make import make_scorer
from sriqa_metric.scorers.options import Options
from sriqa_metric.scorers.ours import OurScorer
from tests.conftest import EXAMPLES

PATHS = sorted(EXAMPLES.glob("c*.png"))[:2]


def test_ours_scores_as_everywhere(lite):
    scorer = make_scorer("sriqa_lite")
    assert list(scorer.score(PATHS)) == pytest.approx(lite.score(PATHS), abs=1e-5)
    assert scorer.weights_id == lite.weights_id


def test_uncalibrated_is_the_quality_model_alone(lite):
    scorer = make_scorer("sriqa_lite:uncalibrated")
    bare = CalibratedMetric("bare", lite.quality_model, None, lite.policy)
    assert list(scorer.score(PATHS)) == pytest.approx(bare.score(PATHS), abs=1e-5)
    assert scorer.weights_id == f"{lite.weights_id}:uncalibrated"


def test_only_what_the_weights_id_tells_whole_is_kept(lite):
    assert make_scorer("sriqa_lite").cached
    assert not make_scorer("sriqa_lite", Options(max_pixels=100)).cached
    assert make_scorer("sriqa_lite", Options(max_pixels=10**9)).cached
    assert not OurScorer(lite).cached
    assert OurScorer(lite).name == "sriqa_lite"
