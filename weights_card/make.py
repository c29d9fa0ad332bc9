"""Make this folder's README.md and manifest.json of the weights in the package.

    python weights_card/make.py

Every number in them is from the weights file, which `sriqa-calibrate export` wrote.
"""

from __future__ import annotations

from pathlib import Path

from sriqa_metric.calibrate.release.card import make_card, make_manifest
from sriqa_metric.registry import CATALOG
from sriqa_metric.weights.format import weights_id
from sriqa_metric.weights.header import read_description

METRIC = "sriqa_lite"
FOLDER = Path(__file__).parent


def made() -> dict[str, str]:
    """Name of a file in this folder -> what it must hold."""
    weights = CATALOG[METRIC].bundled
    assert weights is not None
    card = make_card(weights, read_description(weights), repo=None)
    files: dict[str, Path | bytes] = {weights.name: weights, "README.md": card.encode()}
    manifest = make_manifest(weights_id(weights), METRIC, files)
    return {"README.md": card, "manifest.json": manifest}


if __name__ == "__main__":
    for name, text in made().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
