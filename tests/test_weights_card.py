"""What stands in weights_card/ is what the bundled file says of itself."""

import importlib.util
import json
import re

import pytest

from sriqa_metric.files import sha256_of
from sriqa_metric.registry import CATALOG
from sriqa_metric.weights.format import weights_id
from sriqa_metric.weights.header import read_description
from tests.conftest import ROOT

FOLDER = ROOT / "weights_card"
BUNDLED = CATALOG["sriqa_lite"].bundled


@pytest.fixture(scope="module")
def made():
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.made()


@pytest.mark.parametrize("name", ["README.md", "manifest.json"])
def test_the_card_is_made_of_the_file(made, name):
    assert (FOLDER / name).read_text(encoding="utf-8") == made[name]


def test_the_manifest_is_of_the_file():
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    listed = {entry["file"]: entry for entry in manifest["files"]}
    assert listed["sriqa_lite.safetensors"]["sha256"] == sha256_of(BUNDLED)
    assert listed["README.md"]["sha256"] == sha256_of(FOLDER / "README.md")
    assert manifest["weights"] == weights_id(BUNDLED)


def test_the_description_is_complete():
    told = read_description(BUNDLED)
    for key in (
        *("format_version", "metric", "encoder", "encoder_source", "crop_policy", "license"),
        *("training_data", "settings", "held_out", "evaluation", "precision", "notes"),
        *("package_version", "tensors_sha256"),
    ):
        assert told[key], key
    data = told["training_data"]
    for key in ("ranking", "methods"):
        assert len(data[key]) == 7
    for key in ("ranking_sha256", "sr_sha256", "photos_sha256"):
        assert re.fullmatch("[0-9a-f]{64}", data[key])
    own = [row for row in told["evaluation"]["rows"] if not row["versus"]]
    assert len({row["figure"] for row in own}) >= 3
    assert all(row["ci_low"] <= row["value"] <= row["ci_high"] for row in own)
    assert told["notes"] == (FOLDER / "notes.md").read_text(encoding="utf-8")


def test_held_out_contents_are_those_listed():
    listed = (FOLDER / "held-out.txt").read_text().split()
    assert sorted(read_description(BUNDLED)["held_out"]["contents"]) == sorted(listed)


def test_tables_are_of_these_weights():
    assert weights_id(BUNDLED) in (FOLDER / "evaluation.md").read_text(encoding="utf-8")


def test_prose_has_no_figures():
    """Numbers of what was measured come from the file or stand in a table beside a command."""
    prose = (FOLDER / "notes.md").read_text(encoding="utf-8")
    names = ("EfficientNet-Lite0", "efficientnet-lite0", "BSDS500", "×4", "Apache-2.0")
    names += ("BIQ2021", "nisarahmedrana/BIQ2021", "31(5), 2022", "512 pixels")
    for name in names:
        prose = prose.replace(name, "")
    assert not re.findall(r"\d+", prose)
