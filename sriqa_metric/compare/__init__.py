"""Is one SR method better than another, as far as metrics can tell?"""

from __future__ import annotations

from .comparison import Comparison
from .comparisons import Comparisons
from .run import compare

__all__ = ["Comparison", "Comparisons", "compare"]
