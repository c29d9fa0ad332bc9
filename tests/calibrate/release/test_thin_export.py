"""A run whose encoder is a public CLIP: exported without it, published, and fetched with it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from sriqa_metric.calibrate.release.card import make_card
from sriqa_metric.calibrate.release.export import export, tensors_sha256
from sriqa_metric.calibrate.release.publish import make_release
from sriqa_metric.errors import SriqaError
from sriqa_metric.files import sha256_of
from sriqa_metric.models import clip as clip_module
from sriqa_metric.weights.encoder import KEY
from sriqa_metric.weights.format import read_file, save_weights, weights_id
from sriqa_metric.weights.load import load_source
from tests.calibrate.release.test_export import WEIGHTS, row, write
from tests.hub_server import Hub, client_environment
from tests.tiny_clip import FILE, REPO, client_at, clip_metric, clip_tensors, serve, use_tiny_tower

pytest.importorskip("open_clip")

NAME = "sriqa_clip.safetensors"


@pytest.fixture(autouse=True)
def tiny_tower(monkeypatch):
    monkeypatch.setattr(clip_module, "_visual_tower", clip_module._visual_tower)  # put back after
    use_tiny_tower()


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """A whole CLIP."""
    return clip_tensors()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with Hub(writers={"hf_right": "org"}) as hub:
        client_at(hub, tmp_path / "cache", monkeypatch)
        yield hub


@pytest.fixture
def named(hub, tensors) -> str:
    """What `--encoder` says of the CLIP on the Hub."""
    return "{0.repo}@{0.revision}:{0.file}".format(serve(hub, tensors))


@pytest.fixture
def run(make_run, tensors, tmp_path) -> Path:
    """A finished stage 2 of that CLIP, which it knows in float16."""
    base = tmp_path / "base.safetensors"
    save_weights(base, clip_metric(tensors), {"training_data": "none: random weights"})
    return make_run(tmp_path / "run", base=base)


@pytest.fixture
def thin(run, named, tmp_path) -> Path:
    path = tmp_path / "thin.safetensors"
    export(run, path, "MIT", encoder=named)
    return path


def header(path: Path) -> tuple[dict, dict[str, str]]:
    """Description of a file, and the dtypes of the tensors that are in it."""
    with safe_open(path, "pt") as file:
        dtypes = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()["sriqa"]), dtypes


def test_the_file_has_all_but_the_encoder(thin, hub, tensors):
    description, dtypes = header(thin)
    assert dtypes == dict.fromkeys(
        [
            "quality_model.logit_scale",
            "quality_model.text",
            "rectifier.hidden.bias",
            "rectifier.hidden.weight",
            "rectifier.out.bias",
            "rectifier.out.weight",
        ],
        "F32",
    )
    assert description["format_version"] == 1
    assert description[KEY] == asdict(serve(hub, tensors))


def test_it_scores_with_the_encoders_own_values(thin, run, tensors, picture):
    exact = load_source(str(run / WEIGHTS))  # rounded to float16, until now
    kept = torch.load(run / "rectifier.checkpoint", weights_only=True)["state"]["best_state"]
    exact.rectifier.load_state_dict(kept)
    exact.quality_model.visual.load_state_dict(
        clip_metric(tensors).quality_model.visual.state_dict()
    )
    found = load_source(str(thin))
    assert found.score(picture) == exact.score(picture)
    assert found.score(picture) != load_source(str(run / WEIGHTS)).score(picture)
    for name, tensor in exact.state_dict().items():
        assert torch.equal(tensor, found.state_dict()[name])


def test_what_float16_would_have_changed_is_told(thin, run, named, tmp_path):
    precision = read_file(thin).description["precision"]
    assert precision["dtype"] == "float32"
    assert 0 < precision["largest_difference"] < 1e-3  # a whole file would be float16
    assert precision["float32_values"] == ["rectifier", "quality_model"]
    (tmp_path / "base.safetensors").unlink()
    (run / "rectifier.checkpoint").unlink()
    precision = export(run, thin, "MIT", encoder=named)
    assert precision["dtype"] == "float32"
    assert precision["float32_values"] == ["encoder"]  # the rest the run kept as float16 alone


def test_the_first_tensor_that_differs_is_named(run, hub, tensors, tmp_path):
    names = ["visual.ln_post.bias", "visual.proj"]
    tuned = tensors | {name: tensors[name] + 0.1 for name in names}
    lacking = {name: tensor for name, tensor in tensors.items() if name != "visual.proj"}
    more = tensors | {"visual.a": torch.ones(2)}
    cases = ((tuned, "visual.ln_post.bias"), (lacking, "visual.proj"), (more, "visual.a"))
    for served, name in cases:
        encoder = "{0.repo}@{0.revision}:{0.file}".format(serve(hub, served))
        with pytest.raises(SriqaError) as caught:
            export(run, tmp_path / "x.safetensors", "MIT", encoder=encoder)
        assert str(caught.value) == (
            f"{FILE} of {REPO}: is not the encoder of {run / WEIGHTS}; the first tensor that "
            f"differs is 'quality_model.{name}'"
        )
    assert not (tmp_path / "x.safetensors").exists()


def test_differences_that_float16_rounds_away_are_none(run, hub, tensors, tmp_path):
    near = {name: tensor.half().float() for name, tensor in tensors.items()}
    encoder = "{0.repo}@{0.revision}:{0.file}".format(serve(hub, near))
    export(run, tmp_path / "x.safetensors", "MIT", encoder=encoder)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        (f"{REPO}@main:{FILE}", "revision 'main' is not a full commit, 40 hex digits"),
        (REPO, "expected ORG/NAME@COMMIT:FILE"),
        ("", "expected ORG/NAME@COMMIT:FILE"),
        (f"{REPO}@{'a' * 40}:{FILE}", f"cannot be fetched from {REPO}, .*no such revision"),
    ],
)
def test_an_encoder_that_is_not_pinned_or_not_there(encoder, words, run, named, tmp_path):
    with pytest.raises(SriqaError, match=words):
        export(run, tmp_path / "x.safetensors", "MIT", encoder=encoder)
    assert not (tmp_path / "x.safetensors").exists()


def test_other_metrics_keep_their_encoder(make_run, hub, named, tmp_path):
    run = make_run(tmp_path / "lite")
    with pytest.raises(SriqaError, match="only sriqa_clip can do without its own, not sriqa_lite"):
        export(run, tmp_path / "x.safetensors", "MIT", encoder=named)
    assert not hub.requests


def test_figures_of_the_run_and_of_the_file_itself_are_its_own(thin, run, named, tmp_path):
    own = write(tmp_path / "own.json", row(weights_id(thin)))
    of_run = write(tmp_path / "run.json", row(weights_id(run / WEIGHTS), group="other"))
    export(run, thin, "MIT", [own, of_run], encoder=named)
    file = read_file(thin)
    tensors, description = file.tensors, file.description
    found = description["evaluation"]["measured_on"]
    assert sorted(found.values()) == ["these tensors", "these tensors in float16"]
    assert description["tensors_sha256"] == tensors_sha256(tensors)
    assert make_release("org/name", thin).weights == NAME


def test_figures_with_another_encoder_are_refused(thin, run, named, hub, tensors, tmp_path):
    own = write(tmp_path / "own.json", row(weights_id(thin)))
    export(run, thin, "MIT", [own], encoder=named)
    other = serve(hub, tensors | {"visual.proj": tensors["visual.proj"] + 1})
    changed = tmp_path / "changed.safetensors"
    record = {key: value for key, value in read_file(thin).description.items() if key != KEY}
    save_weights(changed, load_source(str(thin)), record, torch.float32, other)
    with pytest.raises(SriqaError, match="its description is of other tensors"):
        make_release("org/name", changed)


def test_the_card_tells_where_the_encoder_is(thin):
    description = read_file(thin).description
    told = description[KEY]
    text = make_card(thin, description, "org/name")
    line = next(line for line in text.splitlines() if "The encoder is not in this file" in line)
    for words in (REPO, FILE, told["revision"], told["sha256"], "license of that repository"):
        assert words in line
    assert "Stored as float32. float16 changes a score by at most" in text
    assert "License: MIT." in text


def test_a_thin_file_can_be_the_base_of_a_run(thin, make_run, named, tmp_path):
    run = make_run(tmp_path / "next", base=thin)
    precision = export(run, tmp_path / "next.safetensors", "MIT", encoder=named)
    assert precision["float32_values"] == ["rectifier", "quality_model"]
    export(run, tmp_path / "whole.safetensors", "MIT")
    assert KEY not in header(tmp_path / "whole.safetensors")[0]


# As people use it: settings from the environment, commands, and then the file by its repository.
SCRIPT = """
import os, shutil, sys
import typer
import sriqa_metric as sriqa
from sriqa_metric.calibrate.release import cli
from tests.tiny_clip import use_tiny_tower

run, final, encoder, picture = sys.argv[1:]
use_tiny_tower()
app = typer.Typer()
app.command()(cli.export)
app.command()(cli.publish)
arguments = [run, "-o", final, "--license", "MIT", "--encoder", encoder]
app(["export", *arguments], standalone_mode=False)
app(["publish", "org/name", "--weights", final], standalone_mode=False)
shutil.rmtree(os.environ["HF_HOME"])
for repo in (None, "org/name"):
    if repo:
        os.environ["SRIQA_WEIGHTS_REPO"] = repo
    metric = sriqa.load("sriqa_clip", weights=None if repo else final)
    print("score", metric.weights_id, metric.score(picture).hex())
"""


def test_published_thin_weights_score_as_the_file(hub, named, run, made_data, tmp_path):
    final, picture = tmp_path / "final.safetensors", made_data / "photos" / "0.png"
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, run, final, named, picture],
        cwd=Path(__file__).parents[3],
        env=client_environment(hub, tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    scores = [line for line in found.stdout.splitlines() if line.startswith("score ")]
    assert scores == [scores[0]] * 2
    assert f"sha256:{sha256_of(final)[:12]}" in scores[0]
    assert hub.repos["org/name"].files[NAME] == final.read_bytes()
    asked = [file for method, file, _ in hub.requests if method == "GET"]
    assert asked == [FILE, FILE, NAME]  # to export, and once the cache is empty
