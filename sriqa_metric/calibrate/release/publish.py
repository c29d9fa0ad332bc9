"""`sriqa-calibrate publish`: a weights file onto the Hugging Face Hub, with its card.

Where the Hub is and who one is are huggingface_hub's own settings (HF_ENDPOINT, HF_TOKEN).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SriqaError, WeightsError
from ...hub import CALLER, HubFile
from ...weights.format import read_file
from ...weights.load import load_source
from .card import make_card, make_manifest, size_and_hash
from .evaluation_rows import owner
from .export import tensors_sha256


@dataclass(frozen=True)
class Release:
    """What a repository will hold.

    Parameters
    ----------
    repo : str
        `org/name`.
    weights : str
        Name of the weights file in it.
    files : dict
        Name in the repository -> a local file, or the bytes themselves.
    """

    repo: str
    weights: str
    files: dict[str, Path | bytes]

    def facts(self) -> dict[str, dict[str, Any]]:
        """Size and SHA-256 of every file."""
        return {name: size_and_hash(source) for name, source in self.files.items()}


def make_release(repo: str, weights: Path) -> Release:
    """Check a weights file and make what goes beside it; nothing is written or asked for.

    Raises
    ------
    SriqaError
        For a malformed name, a file that is no whole weights file, and one with figures that are
        not of its tensors.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo, re.ASCII):
        raise SriqaError(f"{repo!r}: expected org/name")
    if not weights.is_file():
        raise SriqaError(f"{weights}: no such file; give the weights file that `export` wrote")
    metric = load_source(str(weights.absolute()))
    description = _own_description(weights)
    name = f"{metric.name}.safetensors"
    files: dict[str, Path | bytes] = {
        name: weights,
        "README.md": make_card(weights, description, repo).encode(),
    }
    manifest = make_manifest(metric.weights_id, metric.name, files)
    return Release(repo, name, files | {"manifest.json": manifest.encode()})


def publish(release: Release, private: bool = False, tag: str | None = None) -> HubFile:
    """Put a release on the Hub: the repository if it is new, one commit, and a tag.

    The same files again make no new commit.

    Parameters
    ----------
    release : Release
    private : bool
        Whether a new repository is private; one that is public already is refused.
    tag : str, optional
        A new one.

    Returns
    -------
    HubFile
        What fetches exactly these weights: the entry `released` of the registry.

    Raises
    ------
    WeightsError
        If there is no token or no right to write, if the tag is taken, and if the Hub cannot be
        reached or refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    if not get_token():
        raise WeightsError(
            f"{release.repo}: no token to publish with; set HF_TOKEN to one that may write"
        )
    with _told(release.repo):
        api = HfApi(**CALLER)
        # Not asked for means what the organisation does by default, which may be private too.
        asked: dict[str, Any] = {"private": True} if private else {}
        api.create_repo(release.repo, exist_ok=True, **asked)
        if private and not api.model_info(release.repo).private:
            raise WeightsError(f"{release.repo}: exists and is public; --private cannot hide it")
        if tag and any(ref.name == tag for ref in api.list_repo_refs(release.repo).tags):
            raise WeightsError(f"{release.repo}: the tag {tag!r} is taken; give another")
        commit = api.create_commit(
            release.repo,
            [CommitOperationAdd(name, source) for name, source in release.files.items()],
            commit_message=f"{release.weights} with its card",
        )
        if tag:
            api.create_tag(release.repo, tag=tag, revision=commit.oid)
    sha256 = release.facts()[release.weights]["sha256"]
    return HubFile(release.repo, commit.oid, release.weights, sha256)


def _own_description(weights: Path) -> dict[str, Any]:
    """The description of a weights file, whose figures must be of its tensors."""
    found = read_file(weights)
    tensors, description = found.tensors, found.description
    hashed = description.get("tensors_sha256")
    if hashed and hashed != tensors_sha256(tensors):
        raise WeightsError(f"{weights}: its description is of other tensors; export it again")
    if evaluation := description.get("evaluation"):
        if not hashed:
            raise WeightsError(f"{weights}: its figures name no tensors; export it again")
        strange = {owner(row) for row in evaluation["rows"]} - {"", *evaluation["measured_on"]}
        if strange:
            raise WeightsError(f"{weights}: holds figures of other weights, {min(strange)}")
    return description


@contextmanager
def _told(repo: str) -> Iterator[None]:
    """Turn what the client raises into one line."""
    from huggingface_hub import constants
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except WeightsError:
        raise
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        # An upload's own error is behind one that says only that it failed.
        cause = error.__cause__ if type(error) is RuntimeError and error.__cause__ else error
        raise WeightsError(
            f"{repo}: cannot be published at {constants.ENDPOINT}: {_reason(cause, repo)}"
        ) from None


def _reason(error: BaseException, repo: str) -> str:
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, json.JSONDecodeError):
        return "what answers there is no Hub; check HF_ENDPOINT and the proxy"
    line = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status == 401:
            return "the token is not valid; check HF_TOKEN"
        if status == 403:
            return f"the token may not write to {repo.partition('/')[0]}; check HF_TOKEN"
        return line.rstrip(".")
    if isinstance(error, (HTTPError, OSError)) and not getattr(error, "filename", None):
        return f"no connection ({line.rstrip('.')})"
    return line.rstrip(".:")
