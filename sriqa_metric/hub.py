"""Weights files on the Hugging Face Hub, or a mirror of it: fetched, checked, or one clear error.

Where the Hub is, where files are kept, the token and offline mode are huggingface_hub's own
settings (HF_ENDPOINT, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE); nothing of it is done again here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import WeightsError
from .files import sha256_of


@dataclass(frozen=True)
class HubFile:
    """A file on the Hugging Face Hub.

    Parameters
    ----------
    repo : str
        `org/name`.
    revision : str
        Commit, tag or branch; of released weights always the full commit.
    file : str
        Name in the repository.
    sha256 : str or None
        What the file's bytes must hash to, 64 hex digits; None only for a user's own repository.
    """

    repo: str
    revision: str
    file: str
    sha256: str | None


def fetch(wanted: HubFile) -> Path:
    """Download a file, unless it is in the cache, and check its SHA-256.

    Parameters
    ----------
    wanted : HubFile
        Without a SHA-256, the file is checked against the one by which the cache knows it, where
        it does: the Hub states that of every large file.

    Returns
    -------
    Path
        In huggingface_hub's cache.

    Raises
    ------
    WeightsError
        If the file cannot be had, or is not what it should be.
    """
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HTTPError  # of the library below it, whichever that is

    try:
        path = Path(hf_hub_download(wanted.repo, wanted.file, revision=wanted.revision))
        found = sha256_of(path)
    # RuntimeError is what hf_xet raises, ValueError what a malformed repository or revision gives.
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{wanted.file}: cannot be fetched from {wanted.repo}, revision {wanted.revision}, at "
            f"{constants.ENDPOINT}: {_reason(error)}"
        ) from None
    expected = wanted.sha256 or _name_in_cache(path)
    if expected and found != expected:
        raise WeightsError(
            f"{wanted.file} of {wanted.repo}, revision {wanted.revision}: SHA-256 is {found}, "
            f"expected {expected}: delete {path.resolve()} and try again"
        )
    return path


def _reason(error: Exception) -> str:
    """Why a download failed, in plain words."""
    from huggingface_hub import constants, utils

    if isinstance(error, utils.LocalEntryNotFoundError):
        cause = error.__cause__
        if isinstance(cause, utils.OfflineModeIsEnabled):
            return f"it is not in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE is set"
        if isinstance(cause, utils.FileMetadataError):
            return "what answers there is no Hub; check HF_ENDPOINT and the proxy"
        if not isinstance(cause, utils.HfHubHTTPError):
            return f"no connection ({_first_line(cause or error)})"
        error = cause
    if isinstance(error, utils.GatedRepoError):
        return "the repository is gated; ask for access on its page and set HF_TOKEN"
    if isinstance(error, utils.RepositoryNotFoundError):
        return "no such repository, or a private one, for which set HF_TOKEN"
    if isinstance(error, utils.RevisionNotFoundError):
        return "the repository has no such revision"
    if isinstance(error, utils.EntryNotFoundError):
        return "the repository has no such file"
    if isinstance(error, utils.HfHubHTTPError):
        refused = error.response.status_code in (401, 403)
        return f"refused; check HF_TOKEN ({_first_line(error)})" if refused else _first_line(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or constants.HF_HUB_CACHE}: {error.strerror}"
    if isinstance(error, ValueError):
        return _first_line(error)
    return f"the download did not finish ({_first_line(error)})"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _name_in_cache(path: Path) -> str | None:
    """The SHA-256 that names a file in the cache; None where files have no such names."""
    # One link only: the cache may go on to a store in which files have names of another hash.
    name = os.path.basename(os.readlink(path)) if path.is_symlink() else ""
    return name if re.fullmatch("[0-9a-f]{64}", name) else None
