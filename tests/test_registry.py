"""Where the weights of a metric come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from sriqa_metric.errors import WeightsError
from sriqa_metric.hub import HubFile
from sriqa_metric.registry import REPO_VARIABLE, file_in, find_spec
from sriqa_metric.weights import load as weights

answers = pytest.mark.answers
HUB = "Weights and the Hub"
NAME = "sriqa_clip.safetensors"


@pytest.mark.answers(
    "Weights and the Hub", "SRIQA_WEIGHTS_REPO=org/name@revision", "weights come from there"
)
@pytest.mark.parametrize(
    ("value", "repo", "revision"),
    [
        ("org/name", "org/name", "main"),
        ("org/name@v1.0", "org/name", "v1.0"),
        ("my-org/na.me_2@refs/pr/1", "my-org/na.me_2", "refs/pr/1"),
    ],
)
def test_a_repository_of_ones_own(value, repo, revision, monkeypatch):
    monkeypatch.setenv(REPO_VARIABLE, value)
    monkeypatch.setattr(weights, "fetch_weights", lambda wanted: wanted)
    for name in ("sriqa_clip", "sriqa_lite"):  # the second is bundled too
        found = weights.find_weights(find_spec(name))
        assert found == HubFile(repo, revision, f"{name}.safetensors", None)
    local = Path("local.safetensors")
    assert weights.find_weights(find_spec("sriqa_clip"), local) == local


@pytest.mark.answers(
    "Weights and the Hub",
    "SRIQA_WEIGHTS_REPO with `..`, an empty part or a line end",
    "error that quotes it, before any request",
)
@pytest.mark.parametrize(
    "value",
    [
        "name",
        "org/",
        "/name",
        "a/b/c",
        "org/name@",
        "@v1",
        "org/name@a@b",
        "https://hf.co/a/b",
        " ",
        "../name",
        "org/..",
        "./name",
        "org/na..me",
        "org/name@..",
        "org/name@../../x",
        "org/name@refs/../../x",
        "org/name@/etc",
        "org/name@refs//pr",
        "org/name@v1/",
        "org/name@v1\n",
        "org/na\x1bme",
        "org\\name",
    ],
)
def test_a_malformed_repository_is_quoted(value):
    with pytest.raises(WeightsError) as caught:
        file_in(value, NAME)
    assert str(caught.value) == f"{REPO_VARIABLE}={value!r}: expected org/name or org/name@revision"


@pytest.mark.answers(
    "Weights and the Hub", "SRIQA_WEIGHTS_REPO set but empty", "as if it was not set"
)
def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv(REPO_VARIABLE, "")
    spec = find_spec("sriqa_lite")
    assert weights.find_weights(spec) == spec.bundled
