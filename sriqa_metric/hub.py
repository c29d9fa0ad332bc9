"""Weights files on the Hugging Face Hub, or a mirror of it: fetched, checked, or one clear error.

Where the Hub is, where files are kept, the token and offline mode are huggingface_hub's own
settings (HF_ENDPOINT, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE); nothing of it is done again here.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from .deadline import DeadlineError, deadline
from .errors import WeightsError
from .files import sha256_of
from .version import __version__

LIMIT = 3600.0
"""Seconds that a download may take in all; the client's own limit is of every single reading."""

CALLER: Final[dict[str, Any]] = {
    "library_name": "sriqa-metric",
    "library_version": __version__,
}
"""What the Hub is told of who asks."""

_log = logging.getLogger(__name__)


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

    where = f"{wanted.file} of {wanted.repo}, revision {wanted.revision}"
    try:
        with deadline(LIMIT):
            _require_plain_etag(wanted)
            given = hf_hub_download(wanted.repo, wanted.file, revision=wanted.revision, **CALLER)
        path = _inside_cache(Path(given), where)
        found = sha256_of(path)
    except WeightsError:
        raise
    # RuntimeError is what hf_xet raises, ValueError what a malformed repository or revision gives.
    except (DeadlineError, HTTPError, OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{wanted.file}: cannot be fetched from {wanted.repo}, revision {wanted.revision}, at "
            f"{constants.ENDPOINT}: {_reason(error)}"
        ) from None
    expected = wanted.sha256 or _name_in_cache(path)
    if expected and found != expected:
        raise WeightsError(
            f"{where}: SHA-256 is {found}, expected {expected}: delete {path.resolve()} and try "
            "again"
        )
    if not wanted.sha256:
        _say_unverified(where)
    return path


def _require_plain_etag(wanted: HubFile) -> None:
    """Refuse a server whose ETag, by which the client names what it writes, is a path."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError

    there = try_to_load_from_cache(wanted.repo, wanted.file, revision=wanted.revision)
    if isinstance(there, str) and re.fullmatch("[0-9a-f]{40}", wanted.revision):
        return  # the client does not ask either
    etag = None
    with suppress(HTTPError, OSError):  # the client meets the same, and may have the file
        url = hf_hub_url(wanted.repo, wanted.file, revision=wanted.revision)
        etag = get_hf_file_metadata(url, **CALLER).etag
    if etag and not re.fullmatch(r"\w[\w.+=-]*", etag, re.ASCII):
        raise ValueError(f"the ETag {etag!r} is no name of a file; use another HF_ENDPOINT")


def _inside_cache(path: Path, where: str) -> Path:
    """The path itself, unless it leads out of the client's cache."""
    from huggingface_hub import constants

    cache = Path(os.path.abspath(constants.HF_HUB_CACHE))
    given, real = Path(os.path.abspath(path)), path.resolve()
    for root in (cache, cache.resolve()):
        if given.is_relative_to(root):
            # The cache, or one repository in it, may itself be a link to another disk.
            repository = root / given.relative_to(root).parts[0]
            if any(real.is_relative_to(folder.resolve()) for folder in (root, repository)):
                return path
    raise WeightsError(
        f"{where}: lies at {real}, outside the cache {cache}, and was not used; use "
        "another HF_ENDPOINT"
    )


@lru_cache
def _say_unverified(where: str) -> None:
    """Say it once: a line on stderr, unless the program has set up logging otherwise."""
    _log.warning("%s: unverified, its SHA-256 is not pinned", where)


def _reason(error: BaseException) -> str:
    """Why a download failed, in plain words."""
    from huggingface_hub import constants, utils

    if isinstance(error, DeadlineError):
        return f"not done after {LIMIT:g} s, given up; try again, or on a better connection"
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
