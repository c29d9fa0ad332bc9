"""How images are read and where they are scored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What scorers are made with; no score depends on it.

    Parameters
    ----------
    device : str
    batch_size, workers : int, optional
        See `scoring.score_stream`.
    max_pixels : int, optional
        Larger images have no score; by default those of `images.MAX_PIXELS`.
    """

    device: str = "cpu"
    batch_size: int | None = None
    workers: int | None = None
    max_pixels: int | None = None

    @property
    def limit(self) -> int:
        """Pixels of the largest image."""
        from ..images import MAX_PIXELS

        return self.max_pixels or MAX_PIXELS

    @property
    def takes_all(self) -> bool:
        """Whether every image is taken that is by default; else a known score may be refused."""
        from ..images import MAX_PIXELS

        return self.limit >= MAX_PIXELS
