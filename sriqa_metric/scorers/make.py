"""From the names and files of the command line to scorers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SriqaError
from ..registry import CATALOG
from .options import Options
from .ours import OurScorer, is_ours, load_ours
from .pyiqa_metrics import PyiqaScorer
from .scorer import Scorer
from .tables import ScoreTable, read_score_tables

if TYPE_CHECKING:
    from ..metric import CalibratedMetric


def make_scorer(name: str, options: Options | None = None, *, references: bool = False) -> Scorer:
    """A metric by name.

    Parameters
    ----------
    name : str
        From the registry or a weights file (*.safetensors), also with `:uncalibrated` for its
        quality model without rectifier, or a metric of pyiqa.
    options : Options, optional
    references : bool
        Whether there is ground truth, which full-reference metrics need.

    Raises
    ------
    SriqaError
        For an unknown name, and a metric that cannot be made here or for these images.
    """
    if is_ours(name):
        return load_ours(name, options or Options())
    return PyiqaScorer(name, options, references=references)


def split_names(given: Iterable[str]) -> list[str]:
    """Names of metrics from `a,b` and `c`, each once, in order."""
    names = (name.strip() for each in given for name in each.split(","))
    return list(dict.fromkeys(filter(None, names)))


def read_tables(files: Iterable[Path], names: Sequence[str] = ()) -> list[ScoreTable]:
    """All metrics of files of scores.

    Parameters
    ----------
    files : iterable of Path
    names : sequence of str
        Of other metrics, which must not be in the files, too.

    Raises
    ------
    SriqaError
        As `read_score_tables`, and for a metric that is there twice.
    """
    taken = dict.fromkeys(names, "--metric names")
    tables = []
    for file in files:
        for table in read_score_tables(file):
            if other := taken.get(table.name):
                raise SriqaError(f"{file}: has scores of {table.name}, which {other} too")
            taken[table.name] = f"{file} has"
            tables.append(table)
    return tables


def make_scorers(
    metrics: Sequence[str | CalibratedMetric],
    files: Iterable[Path] = (),
    options: Options | None = None,
    *,
    references: bool = False,
    weights: Path | None = None,
) -> list[Scorer]:
    """Metrics by name, in memory, and from files of scores, in this order.

    Parameters
    ----------
    metrics : sequence of str or CalibratedMetric
        Names as `make_scorer` takes them.
    files : iterable of Path
        See `read_tables`.
    options : Options, optional
    references : bool
        Whether there is ground truth.
    weights : Path, optional
        Weights file of the one name from the registry among the metrics.

    Raises
    ------
    SriqaError
        For no metric, or two of one name; for weights without the one metric that they are for;
        and as `make_scorer` and `read_tables`.
    """
    options = options or Options()
    names = [each if isinstance(each, str) else each.name for each in metrics]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SriqaError(f"two metrics are called {twice!r}; compare by one at a time")
    ours = [name for name in metrics if isinstance(name, str) and name in CATALOG]
    if weights and len(ours) != 1:
        raise SriqaError(
            f"{weights}: is for one of the metrics {', '.join(CATALOG)}, and --metric names "
            f"{' and '.join(ours) or 'none of them'}; give the file itself to --metric"
        )
    tables = read_tables(files, names)
    if not names and not tables:
        raise SriqaError("no metric; give --metric NAME, or --scores FILE.csv")
    scorers: list[Scorer] = []
    for each in metrics:
        if not isinstance(each, str):
            scorers.append(OurScorer(each, options=options))
        elif weights and each in CATALOG:
            from ..weights.load import load

            model = load(each, weights, options.device)
            scorers.append(OurScorer(model, options=options, cached=True))
        else:
            scorers.append(make_scorer(each, options, references=references))
    return [*scorers, *tables]
