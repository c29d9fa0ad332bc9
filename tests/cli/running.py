"""Runs `sriqa-score` inside the tests, on example pictures."""

import json

from typer.testing import CliRunner

from sriqa_metric.cli.score import app
from tests.conftest import EXAMPLES

COFFEE = str(EXAMPLES / "coffee_bicubic.png")
SMALL = str(EXAMPLES / "coffee_LR.png")
CHELSEA = str(EXAMPLES / "chelsea_bicubic.png")


def run(*arguments: str, stdin: str = ""):
    return CliRunner().invoke(app, list(arguments), input=stdin)


def paths_of(found) -> list[str]:
    return [entry["path"] for entry in json.loads(found.stdout)["results"]]
