"""Settings whose types and ranges are checked when they are made."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import ClassVar

from ...errors import SriqaError


class Checked:
    """Settings whose types and ranges are checked when they are made.

    Numbers are finite and not negative, or lie in `RANGES`; `CHOICES` lists what a word may be.
    """

    NAME: ClassVar[str] = ""
    RANGES: ClassVar[dict[str, tuple[float, float]]] = {}
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        for entry in fields(self):  # type: ignore[arg-type]
            value, kind = getattr(self, entry.name), _KINDS.get(str(entry.type))
            where = f"setting {self.NAME}.{entry.name}" if self.NAME else f"setting {entry.name}"
            if kind is None:  # a section, which has checked itself
                continue
            if type(value) not in kind:
                raise SriqaError(f"{where}: expected {kind[0].__name__}, got {value!r}")
            if isinstance(value, list) and any(type(each) is not str for each in value):
                raise SriqaError(f"{where}: expected a list of str, got {value!r}")
            if isinstance(value, (int, float)):
                least, most = self.RANGES.get(entry.name, (0, math.inf))
                if not (is_finite(value) and least <= value <= most):
                    upper = f" to {most:g}" if most < math.inf else " or more"
                    raise SriqaError(f"{where} is {value!r}; it must be {least:g}{upper}")
            allowed = self.CHOICES.get(entry.name, (value,))
            if value not in allowed:
                raise SriqaError(f"{where} is {value!r}; it must be {' or '.join(allowed)}")


def is_finite(value: float) -> bool:
    """Whether a number is one that can be calculated with."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "str": (str,),
    "list[str]": (list,),
}
