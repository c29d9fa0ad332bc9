"""Thin weights files, whose encoder the real client fetches from a Hub on the loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import sriqa_metric as sriqa
from sriqa_metric.cli.weights import app
from sriqa_metric.errors import SriqaError
from sriqa_metric.hub import HubFile
from sriqa_metric.models import clip as clip_module
from sriqa_metric.pyiqa_plugin import sriqa_metric_network
from sriqa_metric.registry import find_spec
from sriqa_metric.weights import encoder
from sriqa_metric.weights.encoder import KEY, parse_encoder
from sriqa_metric.weights.format import save_weights, weights_id
from sriqa_metric.weights.header import read_description
from sriqa_metric.weights.load import WeightsError, load_source
from sriqa_metric.weights.tensors import check_tensors, read_tensors
from tests.hub_client import Client
from tests.hub_server import Hub
from tests.tiny_clip import (
    FILE,
    OURS,
    REPO,
    client_at,
    clip_metric,
    clip_tensors,
    serve,
    use_tiny_tower,
)

pytest.importorskip("open_clip")

RECORD = {"training_data": "none: random weights"}
COMMIT = "a" * 40


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
    """The Hub that this process's client fetches from, with a cache that is empty."""
    with Hub() as hub:
        client_at(hub, tmp_path / "cache", monkeypatch)
        yield hub


def save_thin(path: Path, tensors: dict[str, torch.Tensor], encoder: HubFile) -> Path:
    save_weights(path, clip_metric(tensors), RECORD, torch.float32, encoder)
    return path


@pytest.fixture
def thin(hub, tensors, tmp_path) -> Path:
    """A thin file whose encoder is on the Hub."""
    return save_thin(tmp_path / "thin.safetensors", tensors, serve(hub, tensors))


def test_it_scores_to_the_last_bit_as_the_whole_file(hub, thin, tensors, tmp_path, picture):
    whole = tmp_path / "whole.safetensors"
    save_weights(whole, clip_metric(tensors), RECORD, torch.float32)
    score = sriqa.load("sriqa_clip", weights=whole).score(picture)
    assert not hub.requests
    for metric in (
        sriqa.load("sriqa_clip", weights=thin),
        load_source(str(thin)),
        sriqa_metric_network("sriqa_clip", pretrained_model_path=thin),
    ):
        assert metric.score(picture) == score
        assert metric.weights_id == weights_id(thin)
    assert hub.downloads() == [None]
    named = {
        OURS + name
        for name in sriqa.load(weights=whole, metric="sriqa_clip").quality_model.visual.state_dict()
    }
    assert load_file(whole).keys() - load_file(thin).keys() == named


def test_only_the_visual_tower_is_read(thin, monkeypatch):
    read = []

    class Spy:
        def __init__(self, path, framework):
            self.file = safetensors._safetensors_rust.safe_open(path, framework)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def __getattr__(self, name):
            return getattr(self.file, name)

        def get_tensor(self, name):
            read.append(name)
            return self.file.get_tensor(name)

    monkeypatch.setattr("sriqa_metric.weights.tensors.safe_open", Spy)
    sriqa.load("sriqa_clip", weights=thin)
    visual = {name for name in read if name.startswith("visual.")}
    assert len(visual) == len(find_spec("sriqa_clip").build().visual.state_dict())
    assert set(read) == visual


def test_a_loader_that_knows_no_thin_files_refuses_them(thin):
    expected = sriqa.load("sriqa_clip", weights=thin).state_dict()
    with pytest.raises(WeightsError, match=rf"tensors missing \('{OURS}"):
        check_tensors(read_tensors(thin, ""), expected, thin)


def test_another_file_of_that_name_is_refused(hub, thin, tensors):
    wrong = tensors | {"visual.proj": tensors["visual.proj"] + 1}
    told = read_description(thin)[KEY]
    serve(hub, wrong)
    hub.repos[REPO].tags = (told["revision"],)  # the commit of the right one
    with pytest.raises(WeightsError, match=f"SHA-256 is [0-9a-f]+, expected {told['sha256']}"):
        sriqa.load("sriqa_clip", weights=thin)


@pytest.mark.answers(
    "Weights and the Hub",
    "an encoder file replaced while it is read",
    "error; run it again",
)
def test_an_encoder_that_is_replaced_meanwhile_is_refused(thin, tensors, monkeypatch):
    read = encoder.read_tensors

    def replacing(path, prefix):
        blob = path.resolve()
        save_file(tensors | {"visual.proj": tensors["visual.proj"] + 1}, blob.with_name("new"))
        blob.with_name("new").replace(blob)
        return read(path, prefix)

    monkeypatch.setattr(encoder, "read_tensors", replacing)
    with pytest.raises(WeightsError, match="was replaced while it was read"):
        sriqa.load("sriqa_clip", weights=thin)


# What is wrong with the visual tower of the file that is referred to, and words of the message.
TOWERS = {
    "missing": (lambda t: t.pop("visual.proj"), r"1 tensor missing \('quality_model.visual.proj"),
    "unknown": (lambda t: t.update({"visual.head": torch.ones(2)}), "1 unknown .*visual.head"),
    "shape": (lambda t: t.update({"visual.proj": torch.ones(2)}), r"has shape \(2,\), not"),
    "NaN": (lambda t: t["visual.proj"].fill_(torch.nan), "visual.proj' holds NaN"),
    "integers": (lambda t: t.update({"visual.proj": torch.ones(2).int()}), "not floating point"),
}


@pytest.mark.parametrize("name", TOWERS)
def test_another_tower_is_refused(name, hub, tensors, tmp_path):
    change, words = TOWERS[name]
    changed = {key: tensor.clone() for key, tensor in tensors.items()}
    change(changed)
    path = save_thin(tmp_path / "thin.safetensors", tensors, serve(hub, changed))
    with pytest.raises(WeightsError, match=words):
        sriqa.load("sriqa_clip", weights=path)


ENCODER = asdict(HubFile(REPO, COMMIT, FILE, "b" * 64))
# What a description may not say, and words of the message.
DESCRIPTIONS = {
    "branch": (ENCODER | {"revision": "main"}, "revision 'main' is not a full commit, 40 hex"),
    "short commit": (ENCODER | {"revision": "a" * 7}, "is not a full commit"),
    "number": (ENCODER | {"revision": 1}, "revision 1 is not a full commit"),
    "no hash": (ENCODER | {"sha256": None}, "sha256 None is not 64 hex digits"),
    "short hash": (ENCODER | {"sha256": "b" * 12}, "is not 64 hex digits"),
    "line": (ENCODER | {"sha256": "b" * 64 + "\n"}, "is not 64 hex digits"),
    "address": (ENCODER | {"repo": "https://hf.co/a/b"}, "is not org/name"),
    "pickle": (ENCODER | {"file": "model.bin"}, "'model.bin' is not the name of a safetensors"),
    "folder": (ENCODER | {"file": "a/../../x.safetensors"}, "is not the name of a safetensors"),
    "more": (ENCODER | {"size": 1}, "must have repo, revision, file, sha256, and nothing else"),
    "less": ({"repo": REPO}, "must have repo, revision, file, sha256"),
    "text": (f"{REPO}@{COMMIT}", "must have repo"),
    "nothing": (None, "must have repo"),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_what_names_no_version_of_a_file_is_refused(name, hub, thin):
    told, words = DESCRIPTIONS[name]
    with pytest.raises(WeightsError, match=words) as caught:
        load_source(str(changed(thin, **{KEY: told})))
    assert str(caught.value).startswith(f"{thin}: encoder_file")
    assert not hub.requests


def changed(path: Path, **description: object) -> Path:
    """The file with another description."""
    told = read_description(path) | description
    save_file(load_file(path), path, metadata={"sriqa": json.dumps(told)})
    return path


def test_other_metrics_have_their_encoder_themselves(hub, thin, tmp_path):
    with pytest.raises(WeightsError, match="only sriqa_clip can have its encoder in another file"):
        load_source(str(changed(thin, metric="sriqa_lite")))
    whole = tmp_path / "lite.safetensors"
    lite = find_spec("sriqa_lite").bundled
    save_file(
        load_file(lite), whole, {"sriqa": json.dumps(read_description(lite) | {KEY: ENCODER})}
    )
    with pytest.raises(WeightsError, match="only sriqa_clip"):
        sriqa.load("sriqa_lite", weights=whole)
    assert not hub.requests


def test_an_encoder_in_both_places_is_refused(hub, tensors, tmp_path):
    path = tmp_path / "both.safetensors"
    save_weights(path, clip_metric(tensors), RECORD | {KEY: ENCODER})
    with pytest.raises(WeightsError, match=r"holds 'quality_model\.visual.*a file for the encoder"):
        load_source(str(path))
    assert not hub.requests


def test_weights_of_another_metric_are_not_fetched(hub, thin):
    with pytest.raises(WeightsError, match="weights of 'sriqa_clip', not of 'sriqa_lite'"):
        sriqa.load("sriqa_lite", weights=thin)
    assert not hub.requests


def test_an_encoder_that_cannot_be_had_is_one_clear_error(hub, thin):
    del hub.repos[REPO]
    with pytest.raises(
        WeightsError, match=f"^{FILE}: cannot be fetched from {REPO}, .*Use a metric"
    ):
        sriqa.load("sriqa_clip", weights=thin)


@pytest.mark.parametrize(
    "text", ["", "org/name", f"org/name@{COMMIT}", f"org/name:{FILE}", "org/name@main"]
)
def test_a_reference_that_lacks_something_is_quoted(text):
    with pytest.raises(SriqaError) as caught:
        parse_encoder(text)
    assert str(caught.value) == f"encoder {text!r}: expected ORG/NAME@COMMIT:FILE"


def test_references():
    assert parse_encoder(f"{REPO}@{COMMIT}:sub/{FILE}") == HubFile(
        REPO, COMMIT, f"sub/{FILE}", None
    )
    for revision in ("main", "v1", "a" * 39, "A" * 40):
        with pytest.raises(SriqaError, match=f"revision '{revision}' is not a full commit"):
            parse_encoder(f"{REPO}@{revision}:{FILE}")


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_commands(hub, thin):
    shown = json.loads(run("show", thin, "--format", "json").stdout)
    assert shown["dtype"] == "F32"
    assert shown["description"][KEY]["repo"] == REPO
    assert f"{KEY}.revision" in run("show", thin).stdout
    assert not hub.requests  # to show is not to load
    assert run("path", thin).stdout == f"{thin}\n"
    assert hub.downloads() == [None]
    found = run("verify", thin)
    assert (found.exit_code, found.stdout) == (0, f"ok {weights_id(thin)}\n")
    assert hub.downloads() == [None]


@pytest.mark.parametrize(("command", "status"), [("verify", 1), ("path", 2)])
def test_commands_without_the_encoder(command, status, hub, thin):
    del hub.repos[REPO]
    found = run(command, thin)
    assert (found.exit_code, found.stdout) == (status, "")
    assert found.stderr.startswith(f"sriqa-weights: {FILE}: cannot be fetched")
    assert found.stderr.count("\n") == 1


SCORE = """
import sys
import sriqa_metric as sriqa
from tests.tiny_clip import use_tiny_tower

use_tiny_tower()
print(sriqa.load("sriqa_clip", weights=sys.argv[1]).score(sys.argv[2]).hex())
"""


def test_offline(hub, thin, picture, tmp_path):
    from PIL import Image

    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / "picture.png")
    client = Client(hub.url, tmp_path / "home")  # settings from the environment, as people use it

    def python(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=Path(__file__).parents[2],
            env=client.environment | settings,
            capture_output=True,
            text=True,
            timeout=60,
        )

    fetching = ("-m", "sriqa_metric.cli.weights", "path", thin)
    offline = python(*fetching, HF_HUB_OFFLINE="1")
    assert (offline.returncode, offline.stdout) == (2, "")
    assert offline.stderr.startswith(f"sriqa-weights: {FILE}: cannot be fetched from {REPO}")
    assert f"not in the cache {client.home}/hub, and HF_HUB_OFFLINE is set" in offline.stderr
    assert offline.stderr.count("\n") == 1
    assert python(*fetching).stdout == f"{thin}\n"
    hub.requests.clear()
    found = python("-c", SCORE, thin, tmp_path / "picture.png", HF_HUB_OFFLINE="1")
    assert not hub.requests
    assert found.stdout.strip() == sriqa.load("sriqa_clip", weights=thin).score(picture).hex(), (
        found.stderr
    )
