"""What identifies a set of images: SHA-256 over their files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ...files import image_digest


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 over the contents of files, in their order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(bytes.fromhex(image_digest(path)))
    return digest.hexdigest()
