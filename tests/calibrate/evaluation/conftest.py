"""A metric that costs nothing, and small data sets of real image files."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriqa_metric.calibrate.evaluation import run
from tests.scorers.made import MeanScorer, make_mos_root


@pytest.fixture
def mean_scorer(monkeypatch) -> MeanScorer:
    """Stands in for every metric that is asked for."""
    scorer = MeanScorer()
    monkeypatch.setattr(run, "make_scorer", lambda name, options: scorer)
    return scorer


@pytest.fixture
def mos_root(tmp_path) -> Path:
    return make_mos_root(tmp_path / "made")
