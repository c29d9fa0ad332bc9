"""One table out of the held-out figures of several runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import SriqaError

_COLUMNS = {
    "srcc": "SRCC of method means",
    "pairs": "method pairs",
    "image_pairs": "image pairs",
    "unseen_pairs": "unseen method pairs",
    "unseen_image_pairs": "unseen image pairs",
    "severity": "severity",
    "trace": "rises by WebP",
}
_LEGEND = """
Figures on contents and photos that were not trained on. *Method pairs*: fraction of pairs of
methods whose mean scores stand in the order of the ranking; *image pairs*: the same on single
contents; *unseen*: only pairs with a method that was not trained on; *severity*: fraction of pairs
of versions of a photo, at five strengths of one distortion, in the right order; *rises by WebP*:
share of SR results whose score rises when they are compressed as the pristine photos had been
(above 0.5 would be a leak).
"""


def write_table(runs: list[Path], output: Path) -> None:
    """Write one Markdown section a run, a row for every variant and baseline.

    Raises
    ------
    SriqaError
        If a folder holds no `report.json`.
    """
    output.write_text(_LEGEND.lstrip() + "\n" + "\n".join(map(_section, runs)), encoding="utf-8")


def _section(run: Path) -> str:
    try:
        report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise SriqaError(f"{run}: no finished run: {error.strerror}: report.json") from None
    figures: dict[str, dict[str, float]] = report["figures"]
    shown = [name for name in _COLUMNS if any(name in row for row in figures.values())]
    unseen = ", ".join(report["held_methods"]) or "none"
    lines = [
        f"### Methods left out: {unseen}",
        "",
        "| | " + " | ".join(_COLUMNS[name] for name in shown) + " |",
        "|---" * (len(shown) + 1) + "|",
    ]
    for variant, row in figures.items():
        cells = [f"{row[name]:.3f}" if name in row else "" for name in shown]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
