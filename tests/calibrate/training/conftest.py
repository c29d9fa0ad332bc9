"""Labelled sets, SR results and run folders for tests of both stages."""

import pytest

from sriqa_metric.calibrate.data.sr_results import read_sr_results
from sriqa_metric.calibrate.training.crop_batches import Sources
from sriqa_metric.calibrate.training.run_folder import RunFolder
from tests.calibrate.planted import planted


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    return [planted(folder, "one", 11), planted(folder, "two", 6, side=240)]


@pytest.fixture(scope="module")
def validation(tmp_path_factory):
    return Sources((planted(tmp_path_factory.mktemp("validation"), "held", 8, side=224),))


@pytest.fixture(scope="module")
def sr(made_data):
    return read_sr_results(made_data / "sr", made_data / "sr" / "ranking.csv")


@pytest.fixture
def folder(tmp_path):
    with RunFolder(tmp_path / "run", {}) as opened:
        yield opened
