"""The command `sriqa-calibrate select`."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Groups(str, Enum):
    """Which contents are taken for each method pair."""

    mad = "mad"
    mad_mid = "mad+mid"


def select(
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="Folder with one folder of results per method.")
    ],
    lr: Annotated[Path, typer.Option(help="Folder of the LR inputs.")],
    output: Annotated[Path, typer.Option(help="Folder for pairs.csv; a run in it is resumed.")],
    method: Annotated[
        list[str] | None, typer.Option(help="A method's folder in ROOT; repeat. Default: all.")
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Contents per method pair.")] = 16,
    lambda_1: Annotated[float, typer.Option(min=0, help="Weight of D2, diversity.")] = 0.1,
    groups: Annotated[
        Groups, typer.Option(help="mad: all by Eq. (1); mad+mid: half, half from the middle of D1.")
    ] = Groups.mad,
    skip_incomplete: Annotated[
        bool, typer.Option("--skip-incomplete", help="Leave out contents that cannot be used.")
    ] = False,
    sheet: Annotated[Path | None, typer.Option(help="Picture of some of the pairs.")] = None,
    vgg_weights: Annotated[
        Path | None, typer.Option(help="torchvision's vgg16-397923af.pth.")
    ] = None,
    dists_weights: Annotated[
        Path | None, typer.Option(help="pyiqa's DISTS_weights-f5e65c96.pth.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Select image pairs for a study by MAD competition: where each two SR methods differ most.

    Results are ROOT/<method>/<content>.<extension>, LR inputs <lr>/<content>.<extension>. The
    path of pairs.csv goes to stdout, notes to stderr.
    """
    if not lambda_1 < float("inf"):
        raise typer.BadParameter(f"{lambda_1} is not a number", param_hint="--lambda-1")
    if sheet is not None and sheet.suffix.lower() not in (".png", ".jpg", ".webp"):
        message = f"{sheet}: must end with .png, .jpg or .webp"
        raise typer.BadParameter(message, param_hint="--sheet")
    from ...weights.load import find_device
    from ..data.image_pairs import write_pairs
    from ..selection.contents import find_contents
    from ..selection.distances import measure
    from ..selection.dists import load_dists
    from ..selection.mad import common_root, select_pairs

    found = find_contents(root, lr, method, skip_incomplete)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if len(found.contents) < k:
        few = f"{len(found.contents)} contents, fewer than {k}: all are taken"
        print(f"note: {few}", file=sys.stderr)
    images = common_root(found)
    dists = load_dists(vgg_weights, dists_weights, find_device(device))
    selected = select_pairs(found, measure(found, dists, output), k, lambda_1, groups.value)
    write_pairs(output / "pairs.csv", selected)
    if sheet is not None:
        from ..selection.contact_sheet import draw_sheet

        draw_sheet(sheet, selected, images)
    print(f"note: {len(selected)} pairs; their images are relative to {images}", file=sys.stderr)
    print(output / "pairs.csv")
