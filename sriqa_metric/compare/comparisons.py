"""The same methods compared by several metrics, on several data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import SriqaError
from .comparison import Comparison


@dataclass(frozen=True, eq=False)
class Comparisons:
    """One comparison for each metric on each data set, of the same methods.

    Parameters
    ----------
    each : tuple of Comparison
        By data set, then by metric, in the order asked for. A metric may lack a data set.
    """

    each: tuple[Comparison, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, each once."""
        return tuple(dict.fromkeys(one.metric for one in self.each))

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Names of the data sets, each once; an empty one where there is but one without name."""
        return tuple(dict.fromkeys(one.data_set for one in self.each))

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in the order given."""
        return tuple(method.name for method in self.each[0].methods)

    def of(self, metric: str, data_set: str = "") -> Comparison:
        """The comparison by one metric on one data set.

        Raises
        ------
        SriqaError
            If there is none.
        """
        for one in self.each:
            if (one.metric, one.data_set) == (metric, data_set):
                return one
        raise SriqaError(
            f"no comparison by {metric!r} on {data_set!r}; there are the metrics "
            f"{', '.join(self.metrics)} on {', '.join(map(repr, self.data_sets))}"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"comparisons": [one.to_dict() for one in self.each]}
