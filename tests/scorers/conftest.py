"""Fixtures for the tests of scorers."""

from pathlib import Path

import pytest

from tests.scorers.made import make_mos_root


@pytest.fixture
def mos_root(tmp_path) -> Path:
    return make_mos_root(tmp_path / "made")
