"""What tests of `sriqa-score` share."""

import json

import pytest

from tests.cli.running import CHELSEA, COFFEE, run


@pytest.fixture(scope="session")
def score() -> dict[str, float]:
    found = run("--format", "json", COFFEE, CHELSEA)
    return {entry["path"]: entry["score"] for entry in json.loads(found.stdout)["results"]}
