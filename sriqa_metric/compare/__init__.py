"""Is one SR method better than another, as far as a metric can tell?"""

from __future__ import annotations

from .comparison import Comparison
from .run import compare

__all__ = ["Comparison", "compare"]
