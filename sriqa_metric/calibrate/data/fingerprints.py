"""What identifies images and sets of them: SHA-256 of their files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ...errors import SriqaError
from ...files import sha256_of


def image_digest(path: Path) -> str:
    """SHA-256 of an image file, read once as long as it does not change.

    Raises
    ------
    SriqaError
        If it cannot be read.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        raise SriqaError(f"{path}: cannot be read: {error.strerror}") from None


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 over the contents of files, in their order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(bytes.fromhex(image_digest(path)))
    return digest.hexdigest()
