"""`sriqa-score --ray`: a data set of any size, on the machines of a Ray cluster."""

from __future__ import annotations

from typing import Any

import typer

from ..errors import SriqaError
from ..names import counted
from .common import note, say


def score_on_ray(
    command: str, paths: list[str], metric: str, output: str, options: dict[str, Any]
) -> None:
    """Score and tell what became of it; exit status 1 if some images failed.

    Parameters
    ----------
    command : str
        What errors begin with.
    paths : list of str
    metric, output : str
    options : dict
        Others of `scale.score_dataset`; None is its default.
    """
    try:
        from ..scale import score_dataset
    except ModuleNotFoundError as error:
        missing = "pip install 'sriqa-metric[ray]'"
        raise SriqaError(f"--ray needs {error.name}, which is not installed: {missing}") from None
    from .progress import tracked

    given = {name: value for name, value in options.items() if value is not None}
    found = score_dataset(
        paths,
        metric,
        output=output,
        track=lambda errors, total: tracked(errors, "scoring", total),
        **given,
    )
    there = f", {found.skipped} there before" if found.skipped else ""
    note(f"{counted(found.scored, 'image')} scored{there}: {output}")
    if found.failed:
        say(command, f"{found.failed} failed; the column error of {output} says why")
        raise typer.Exit(1)
