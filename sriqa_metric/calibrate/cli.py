"""`sriqa-calibrate`: from SR results and a ranking to a calibrated metric."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import SriqaError

app = typer.Typer(add_completion=False, no_args_is_help=True)

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, e.g. data.sr=DIR."),
]


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def calibrate() -> None:
    """From SR results and a ranking of their methods to a calibrated metric."""


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="Name of a shipped config, or a TOML file.")],
    output: Annotated[Path, typer.Option(help="New folder of the run.")],
    override: Overrides = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train a metric: quality model, rectifier, figures on held-out data, weights file."""
    from ..weights import find_device
    from .config import load_config
    from .runs import train

    figures = train(load_config(config, override), output, find_device(device))
    for variant, found in figures.items():
        print(variant, *(f"{name}={value:.4f}" for name, value in found.items()))
    print(output / "weights.safetensors")


@app.command()
def holdout(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs made by `train`.")],
    output: Annotated[Path, typer.Option(help="Markdown file to write.")],
) -> None:
    """Put the held-out figures of several runs into one table."""
    from .holdout import write_table

    write_table(runs, output)


def main() -> None:
    """Entry point of `sriqa-calibrate`; an error of the user's is one line and exit status 2."""
    try:
        app()
    except SriqaError as error:
        print(f"sriqa-calibrate: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
