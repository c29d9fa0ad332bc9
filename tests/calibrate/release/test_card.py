"""The card says what the file says."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from sriqa_metric.calibrate.cli import app
from sriqa_metric.calibrate.release import card as card_module
from sriqa_metric.calibrate.release.card import make_card, make_manifest
from sriqa_metric.calibrate.release.export import export
from sriqa_metric.weights.format import read_file, weights_id
from tests.calibrate.release.test_export import row, write


def card_of(weights: Path) -> ModelCard:
    return ModelCard(make_card(weights, read_file(weights).description, "org/name"))


@pytest.fixture(scope="module")
def card(exported) -> ModelCard:
    return card_of(exported)


def test_what_the_hub_reads(card, exported):
    data = card.data
    assert data.license == "cc-by-4.0"
    assert data.library_name == "sriqa-metric"
    assert data.pipeline_tag == "other"
    assert data.datasets == ["koniq10k"]
    assert data.model_name == "name"
    rows = read_file(exported).description["evaluation"]["rows"]
    own = [r for r in rows if r["metric"] == "sriqa_lite" and not r["versus"]]
    found = {(e.dataset_type, e.dataset_config, e.metric_name): e for e in data.eval_results}
    assert found.keys() == {(r["data_set"], r["group"], r["figure"]) for r in own}
    for each in own:
        result = found[each["data_set"], each["group"], each["figure"]]
        assert result.metric_value == each["value"]
        assert result.metric_type in data.metrics


def test_what_people_read(card, exported):
    text = card.text
    own = read_file(exported).description["evaluation"]["rows"][0]
    interval = f"{own['value']:.4f} | [{own['ci_low']:.4f}, {own['ci_high']:.4f}] | {own['n']} |"
    assert interval in text
    for told in (
        "SRIQA_WEIGHTS_REPO=org/name sriqa-score results/ --metric sriqa_lite",
        'pyiqa.create_metric("sriqa_lite"',
        weights_id(exported),
        "sharp (1.00), soft (0.25), dull (-1.25)",
        "321 images with MOS",
        "It knows these methods: sharp, dull.",
        "a model's opinion",
        "| calibrated | 0.750 | 0.625 |",
        "On 2 contents held out",
        "rectifier and quality model",
    ):
        assert told in text


def test_no_number_is_typed_by_hand():
    template = Path(card_module.__file__).with_name("card.md").read_text()
    assert not re.findall(r"\d+", template.replace("SHA-256", ""))


def test_figures_of_the_rounded_tensors_are_said_to_be(coarse, tmp_path):
    figures = write(tmp_path / "f.json", row(weights_id(coarse / "weights.safetensors")))
    precision = export(coarse, tmp_path / "x.safetensors", "MIT", [figures])
    text = card_of(tmp_path / "x.safetensors").text
    told = f"{precision['largest_difference']:.1e} on 12 made images"
    assert f"the same weights in float16; the file is more exact, by at most {told}" in text


def test_a_file_that_tells_little(base):
    card = card_of(base)
    assert card.data.eval_results is None
    assert "- none: random weights" in card.text
    assert "The file tells none." in card.text
    assert "Which methods it knows is not told in the file." in card.text


def test_licenses_without_an_identifier(run, tmp_path):
    export(run, tmp_path / "x.safetensors", "Research only, ask us")
    data = card_of(tmp_path / "x.safetensors").data
    assert (data.license, data.license_name) == ("other", "research-only-ask-us")


def test_manifest(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    text = make_manifest("sha256:0", "sriqa_lite", {"w": tmp_path / "a", "README.md": b"# x"})
    assert json.loads(text) == {
        "metric": "sriqa_lite",
        "weights": "sha256:0",
        "files": [
            {"file": "w", "bytes": 5, "sha256": sha256(b"12345").hexdigest()},
            {"file": "README.md", "bytes": 3, "sha256": sha256(b"# x").hexdigest()},
        ],
    }


def test_notes_stand_before_everything_that_is_made(run, tmp_path):
    notes = tmp_path / "notes.md"
    notes.write_text("## Read this\n\nIt was made for deblurring, α.\n", encoding="utf-8")
    out = tmp_path / "x.safetensors"
    given = ["export", str(run), "-o", str(out), "--license", "MIT", "--notes", str(notes)]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    text = card_of(out).text
    assert text.index("Weights id") < text.index("It was made for deblurring, α.")
    assert text.index("deblurring") < text.index("## Use")
    missing = CliRunner().invoke(app, [*given[:-1], str(tmp_path / "none.md")])
    assert "none.md: cannot be read" in missing.stderr


def test_weights_in_the_package_name_no_repository(exported):
    card = ModelCard(make_card(exported, read_file(exported).description, None))
    assert card.data.model_name == "sriqa_lite"
    assert "# sriqa_lite\n" in card.text
    assert "SRIQA_WEIGHTS_REPO" not in card.text
    assert "The file is inside the package." in card.text
