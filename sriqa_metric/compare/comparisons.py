"""The same methods compared by several metrics, on several data sets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SriqaError
from .agreement import Agreement, agreements
from .comparison import Comparison, Failure

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Missing:
    """A metric that says nothing of a data set, and why."""

    metric: str
    data_set: str
    reason: str
    failed: tuple[Failure, ...] = ()


@dataclass(frozen=True, eq=False)
class Comparisons:
    """One comparison for each metric on each data set, of the same methods.

    Parameters
    ----------
    each : tuple of Comparison
        By data set, then by metric, in the order asked for. A metric may lack a data set.
    missing : tuple of Missing
        What is lacking, where all was asked for.
    """

    each: tuple[Comparison, ...]
    missing: tuple[Missing, ...] = ()

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

    @property
    def agreement(self) -> tuple[Agreement, ...]:
        """How far every two metrics say the same, on each data set."""
        return agreements(self.each)

    @property
    def failed(self) -> tuple[Failure, ...]:
        """Every failure once, whichever metrics it is one for."""
        lists = [*(one.failed for one in self.each), *(one.failed for one in self.missing)]
        return tuple(dict.fromkeys(failure for each in lists for failure in each))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "comparisons": [one.to_dict() for one in self.each],
            "agreement": [one.to_dict() for one in self.agreement],
            "missing": [asdict(one) for one in self.missing],
        }

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each score: data_set, metric, method, content, score.

        Raises
        ------
        SriqaError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise SriqaError(
                "a data frame needs pandas: pip install 'sriqa-metric[pandas]'"
            ) from None
        rows = [
            (one.data_set, one.metric, method.name, content, score)
            for one in self.each
            for method, scores in zip(one.methods, one.scores.tolist(), strict=True)
            for content, score in zip(one.contents, scores, strict=True)
        ]
        columns = ["data_set", "metric", "method", "content", "score"]
        return pandas.DataFrame(rows, columns=columns)
