"""From the names and files of the command line to scorers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import SriqaError
from .options import Options
from .ours import is_ours, load_ours
from .pyiqa_metrics import PyiqaScorer
from .scorer import Scorer
from .tables import ScoreTable, read_score_tables


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
