"""Publishing with the real client to a Hub on the loopback interface, and fetching it again."""

import importlib
import json
import subprocess
import sys

import huggingface_hub
import pytest
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from typer import Typer
from typer.testing import CliRunner

from sriqa_metric.calibrate.release import cli
from sriqa_metric.calibrate.release.export import export
from sriqa_metric.calibrate.release.publish import make_release, publish
from sriqa_metric.errors import SriqaError
from sriqa_metric.files import sha256_of
from sriqa_metric.hub import HubFile
from sriqa_metric.weights.format import read_file, save_weights
from tests.hub_server import Hub, Repo, client_environment
from tests.random_weights import random_metric, save_random

NAME = "sriqa_lite.safetensors"
FILES = [NAME, "README.md", "manifest.json"]
NOBODY = "http://127.0.0.1:9"  # the port for discarding, where nothing listens


def client_at(url, monkeypatch):
    """Let this process's client ask there; older ones have the address in several modules."""
    for name in ("constants", "hf_api", "lfs", "_commit_api", "file_download"):
        module = importlib.import_module(f"huggingface_hub.{name}")
        monkeypatch.setattr(module, "ENDPOINT", url, raising=False)


@pytest.fixture
def hub(monkeypatch):
    """The Hub that this process's client talks to, as one who may write to org/."""
    with Hub(writers={"hf_right": "org"}) as hub:
        client_at(hub.url, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_TOKEN", "hf_right")
        yield hub


@pytest.fixture(scope="module")
def release(exported):
    return make_release("org/name", exported)


def sent(hub, end: str) -> list:
    """The bodies of what was sent to addresses that end so."""
    return [body for _, path, body in hub.sent if path.endswith(end)]


def test_one_commit_holds_weights_card_and_manifest(hub, release, exported):
    found = publish(release, tag="v1")
    repo = hub.repos["org/name"]
    assert found == HubFile("org/name", repo.commit, NAME, sha256_of(exported))
    assert repo.commits == [found.revision]
    assert repo.tags == ("v1",)
    assert not repo.private
    assert sorted(repo.files) == sorted(FILES)
    assert repo.files[NAME] == exported.read_bytes()
    for told in json.loads(repo.files["manifest.json"])["files"]:
        assert told == {"file": told["file"], **release.facts()[told["file"]]}
        assert told["bytes"] == len(repo.files[told["file"]])
    assert sent(hub, "/tag/" + found.revision) == [{"tag": "v1"}]


def test_the_same_again_makes_no_commit_and_other_weights_make_one(hub, release, tmp_path):
    first = publish(release)
    assert publish(release) == first
    assert len(hub.repos["org/name"].commits) == 1
    second = publish(make_release("org/name", save_random("sriqa_lite", tmp_path)), tag="v2")
    assert second.revision != first.revision
    assert second.sha256 == sha256_of(tmp_path / NAME)
    assert hub.repos["org/name"].commits == [first.revision, second.revision]


def test_a_tag_is_never_moved(hub, release, tmp_path):
    publish(release, tag="v1")
    with pytest.raises(SriqaError, match="the tag 'v1' is taken; give another"):
        publish(make_release("org/name", save_random("sriqa_lite", tmp_path)), tag="v1")
    assert len(hub.repos["org/name"].commits) == 1


def test_private_is_asked_for_and_never_only_hoped_for(hub, release):
    publish(release, private=True)
    assert hub.repos["org/name"].private
    publish(release, private=True)
    hub.repos["org/name"] = Repo({})
    with pytest.raises(SriqaError, match="exists and is public; --private cannot hide it"):
        publish(release, private=True)
    assert not hub.repos["org/name"].files


# What goes wrong -> (settings, repository, words of the message).
FAILURES = {
    "no token": ({"HF_TOKEN": ""}, "org/name", "no token to publish with; set HF_TOKEN"),
    "wrong token": ({"HF_TOKEN": "hf_no"}, "org/name", "the token is not valid; check HF_TOKEN"),
    "no right": ({}, "other/name", "the token may not write to other; check HF_TOKEN"),
    "nobody there": ({"ENDPOINT": NOBODY}, "org/name", "no connection"),
    "server down": ({"fault": "down"}, "org/name", "503"),
    "no Hub there": ({"fault": "portal"}, "org/name", "what answers there is no Hub"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_one_line(name, hub, exported, monkeypatch, tmp_path):
    settings, repo, words = FAILURES[name]
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    if "HF_TOKEN" in settings:
        monkeypatch.setenv("HF_TOKEN", settings["HF_TOKEN"])
    client_at(settings.get("ENDPOINT", hub.url), monkeypatch)
    hub.fault = settings.get("fault")
    with pytest.raises(SriqaError) as caught:
        publish(make_release(repo, exported))
    message = str(caught.value)
    assert message.startswith(f"{repo}: ")
    assert words in message
    assert "\n" not in message
    assert not hub.repos


def test_a_failed_upload_leaves_no_commit(hub, release, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client tries five times
    hub.refuses_objects = True
    with pytest.raises(SriqaError, match=r"org/name: cannot be published at .*500") as caught:
        publish(release)
    assert "\n" not in str(caught.value)
    assert not hub.repos["org/name"].commits


def test_offline_is_told(hub, release, monkeypatch):
    def offline(*args, **kwargs):
        raise huggingface_hub.errors.OfflineModeIsEnabled("offline")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", offline)
    with pytest.raises(SriqaError, match="HF_HUB_OFFLINE is set"):
        publish(release)


@pytest.mark.parametrize("repo", ["name", "org/", "a/b/c", "org/na me", "https://hf.co/a/b", ""])
def test_malformed_names_are_quoted(repo, exported):
    with pytest.raises(SriqaError) as caught:
        make_release(repo, exported)
    assert str(caught.value) == f"{repo!r}: expected org/name"


def test_names_that_the_hub_does_not_take_are_told(hub, exported):
    with pytest.raises(SriqaError, match="Cannot have -- or"):
        publish(make_release("org/na--me", exported))
    assert not hub.repos


def changed(exported, path, **changes):
    """The exported file with other words in its description."""
    description = read_file(exported).description | changes
    description = {key: value for key, value in description.items() if value is not None}
    save_file(load_file(exported), path, metadata={"sriqa": json.dumps(description)})
    return path


def test_a_file_that_is_not_whole_is_refused(exported, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(exported.read_bytes()[:-1])
    with pytest.raises(SriqaError, match="not a whole safetensors file"):
        make_release("org/name", path)
    tensors = load_file(exported)
    tensors.popitem()
    save_file(tensors, path, metadata={"sriqa": json.dumps(read_file(exported).description)})
    with pytest.raises(SriqaError, match=r"tensors? missing"):
        make_release("org/name", path)
    for absent in ("none.safetensors", "sriqa_lite"):
        with pytest.raises(SriqaError, match="no such file"):
            make_release("org/name", tmp_path / absent)


def test_figures_that_are_not_of_the_file_are_refused(exported, tmp_path):
    path, other = tmp_path / "x.safetensors", tmp_path / "other.safetensors"
    save_weights(other, random_metric("sriqa_lite"), read_file(exported).description)
    with pytest.raises(SriqaError, match="its description is of other tensors"):
        make_release("org/name", other)
    with pytest.raises(SriqaError, match="its figures name no tensors"):
        make_release("org/name", changed(exported, path, tensors_sha256=None))
    evaluation = read_file(exported).description["evaluation"] | {"measured_on": {}}
    with pytest.raises(SriqaError, match="holds figures of other weights, sha256:"):
        make_release("org/name", changed(exported, path, evaluation=evaluation))


@pytest.fixture
def app() -> Typer:
    app = Typer()
    app.command()(cli.export)
    app.command()(cli.publish)
    return app


def test_a_dry_run_asks_nothing_and_writes_nothing(hub, app, exported, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "")
    arguments = ["publish", "org/name", "--weights", str(exported), "--dry-run", "--private"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    release = make_release("org/name", exported)
    for name, facts in release.facts().items():
        assert f"{name} {facts['bytes']} bytes sha256:{facts['sha256']}" in result.output
    assert release.files["README.md"].decode() in result.output
    assert "private repository org/name" in result.output
    assert not hub.sent
    assert not hub.requests
    assert not list(tmp_path.iterdir())


def test_the_printed_entry_is_the_catalogues(hub, app, exported):
    result = CliRunner().invoke(app, ["publish", "org/name", "--weights", str(exported)])
    assert result.exit_code == 0, result.output
    entry = result.output[result.output.index("HubFile(") : result.output.rindex(")") + 1]
    commit = hub.repos["org/name"].commit
    assert eval(entry) == HubFile("org/name", commit, NAME, sha256_of(exported))


# As people use it: settings from the environment, commands, and then the file by its repository.
SCRIPT = """
import os, sys
import typer
import sriqa_metric as sriqa
from sriqa_metric.calibrate.release import cli

run, final, picture = sys.argv[1:]
app = typer.Typer()
app.command()(cli.export)
app.command()(cli.publish)
app(["export", run, "-o", final, "--license", "MIT"], standalone_mode=False)
app(["publish", "org/name", "--weights", final, "--tag", "v1"], standalone_mode=False)
for repo in (None, "org/name", "org/name@v1"):
    if repo:
        os.environ["SRIQA_WEIGHTS_REPO"] = repo
    metric = sriqa.load("sriqa_lite", weights=None if repo else final)
    print("score", metric.weights_id, metric.score(picture).hex())
"""


def test_published_weights_score_as_the_file(hub, run, made_data, tmp_path):
    final, picture = tmp_path / "final.safetensors", made_data / "photos" / "0.png"
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, run, final, picture],
        env=client_environment(hub, tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    scores = [line for line in found.stdout.splitlines() if line.startswith("score ")]
    assert scores == [scores[0]] * 3
    assert f"sha256:{sha256_of(final)[:12]}" in scores[0]
    assert hub.downloads() == [None]
    assert hub.repos["org/name"].tags == ("v1",)


def test_a_run_is_exported_and_published_unchanged(hub, run, tmp_path):
    export(run, tmp_path / "x.safetensors", "MIT")
    publish(make_release("org/name", tmp_path / "x.safetensors"))
    assert hub.repos["org/name"].files[NAME] == (tmp_path / "x.safetensors").read_bytes()
