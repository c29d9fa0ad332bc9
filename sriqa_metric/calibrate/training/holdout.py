"""One table out of the held-out figures of several runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...errors import SriqaError
from .report import figure_table

_LEGEND = """\
Figures on contents and photos that were not trained on. *Method pairs*: fraction of pairs of
methods whose mean scores stand in the order of the ranking; *image pairs*: the same on single
contents; *unseen*: only pairs with a method that was not trained on; *severity*: fraction of pairs
of versions of a photo, at five strengths of one distortion, in the right order; *rises by WebP*:
share of SR results whose score rises when they are compressed as the pristine photos had been
(above 0.5 would be a leak).
"""


def write_table(runs: list[Path], output: Path) -> None:
    """Write Markdown: a section for each set of methods left out, a row for each run and variant.

    Runs on one base share the row of its quality model.

    Raises
    ------
    SriqaError
        If a folder holds no `report.json`.
    """
    sections: dict[str, dict[str, dict[str, float]]] = {}
    bases: set[tuple[str, str]] = set()
    for run in runs:
        report = _read(run)
        left_out = ", ".join(report["held_methods"]) or "none"
        rows = sections.setdefault(left_out, {})
        for variant, figures in report["figures"].items():
            if variant == "quality model":
                if (left_out, report["base"]) in bases:
                    continue
                bases.add((left_out, report["base"]))
            name = run.name if variant == "calibrated" else f"{run.name}: {variant}"
            rows[name] = figures
    text = [_LEGEND]
    for left_out, rows in sections.items():
        text += [f"### Methods left out: {left_out}", "", *figure_table(rows), ""]
    output.write_text("\n".join(text), encoding="utf-8")


def _read(run: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise SriqaError(f"{run}: no finished run: {error.strerror}: report.json") from None
    return report
