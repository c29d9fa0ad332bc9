"""What a finished run says of itself: `report.json`, `report.md`, `splits-*.csv`, `curves.png`."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from ...files import write_text
from ...names import counted
from ..config import RunConfig
from ..data.mos_sets import write_splits
from ..data.splits import Data
from .run_folder import RunFolder

FIGURES = {
    "srcc": "SRCC of method means",
    "pairs": "method pairs",
    "image_pairs": "image pairs",
    "unseen_pairs": "unseen method pairs",
    "unseen_image_pairs": "unseen image pairs",
    "severity": "severity, photos",
    "severity_sr": "severity, SR",
    "trace": "rises by WebP",
}
"""Name in `report.json` -> column in tables; figures of labelled sets carry their own name."""


def write_run_report(
    folder: RunFolder,
    config: RunConfig,
    data: Data,
    base: str,
    figures: dict[str, dict[str, float]],
    notes: Sequence[str] = (),
) -> None:
    """Write the report of a run; `report.json` comes last, and says that the run is finished.

    Parameters
    ----------
    folder : RunFolder
    config : RunConfig
    data : Data
    base : str
        Weights id of the metric that was calibrated.
    figures : dict
        Variant -> named figures.
    notes : sequence of str
        What has to be said of the figures.
    """
    for labelled in data.labelled:
        write_splits(folder.path / f"splits-{labelled.name}.csv", labelled)
    curves = draw_curves(folder.path)
    lines = [
        f"# {config.metric}, {folder.path.name}",
        "",
        f"Base {base}; {counted(len(data.train.methods), 'method')} on "
        f"{counted(len(data.train.contents), 'content')}; "
        f"held out: {counted(len(data.held_contents), 'content')} and the methods "
        f"{', '.join(config.validation.methods) or '(none)'}.",
        "",
        *figure_table(figures),
        "",
        *(f"Note: {note}." for note in notes),
        *[""] * bool(notes),
        "Settings are in config.json, package versions in versions.json, losses in log.csv.",
        *(["", "![Losses](curves.png)"] if curves else []),
        "",
    ]
    write_text(folder.path / "report.md", "\n".join(lines))
    report = {
        "metric": config.metric,
        "base": base,
        "held_contents": data.held_contents,
        "held_methods": config.validation.methods,
        "figures": figures,
        "notes": list(notes),
    }
    write_text(folder.path / "report.json", json.dumps(report, indent=1) + "\n")


def figure_table(rows: dict[str, dict[str, float]]) -> list[str]:
    """Lines of a Markdown table: a row for each variant, a column for each figure that is there."""
    names = dict.fromkeys([*FIGURES, *(name for row in rows.values() for name in row)])
    shown = [name for name in names if any(name in row for row in rows.values())]
    lines = [
        "| | " + " | ".join(FIGURES.get(name, name) for name in shown) + " |",
        "|---" * (len(shown) + 1) + "|",
    ]
    for variant, row in rows.items():
        cells = [f"{row[name]:.3f}" if name in row else "" for name in shown]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return lines


def draw_curves(folder: Path) -> bool:
    """Draw `log.csv`, a panel for each stage; False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    with (folder / "log.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            steps, values = curves.setdefault(row["stage"], {}).setdefault(row["loss"], ([], []))
            steps.append(int(row["step"]))
            values.append(float(row["value"]))
    figure = Figure(figsize=(6 * len(curves), 4), layout="constrained")
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    for panel, (stage, losses) in zip(panels, curves.items(), strict=True):
        for name, (steps, values) in losses.items():
            panel.plot(steps, values, label=name)
        panel.set_title(stage)
        panel.set_xlabel("step")
        panel.legend()
        panel.grid(alpha=0.3)
    figure.savefig(folder / "curves.png", dpi=100)
    return True
