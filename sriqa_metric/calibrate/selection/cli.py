"""The command `sriqa-calibrate select`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ...cli.common import (
    AUTO,
    Device,
    OutputFolder,
    SkipIncomplete,
    device_of,
    make_folder,
    note,
    refuse,
)
from ...errors import SriqaError
from ...names import counted
from ..config import LAMBDA_1, K


def select(
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="Folder with one folder of results per method.")
    ],
    lr: Annotated[Path, typer.Option(help="Folder of the LR inputs.")],
    output: OutputFolder,
    method: Annotated[
        list[str] | None, typer.Option(help="A method's folder in ROOT; repeat. Default: all.")
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Contents per method pair.")] = K,
    lambda_1: Annotated[float, typer.Option(min=0, help="Weight of D2, diversity.")] = LAMBDA_1,
    groups: Annotated[
        Literal["mad", "mad+mid"],
        typer.Option(help="mad: all by Eq. (1); mad+mid: half, half from the middle of D1."),
    ] = "mad",
    skip_incomplete: SkipIncomplete = False,
    sheet: Annotated[Path | None, typer.Option(help="Picture of some of the pairs.")] = None,
    vgg_weights: Annotated[
        Path | None, typer.Option(help="torchvision's vgg16-397923af.pth.")
    ] = None,
    dists_weights: Annotated[
        Path | None, typer.Option(help="pyiqa's DISTS_weights-f5e65c96.pth.")
    ] = None,
    device: Device = AUTO,
) -> None:
    """Select image pairs for a study by MAD competition: where each two SR methods differ most.

    Results are ROOT/<method>/<content>.<extension>, LR inputs <lr>/<content>.<extension>. The
    path of OUTPUT/pairs.csv goes to stdout, notes to stderr.
    """
    if not lambda_1 < float("inf"):
        raise SriqaError(f"--lambda-1 is {lambda_1}; it must be a number")
    if sheet is not None and sheet.suffix.lower() not in (".png", ".jpg", ".webp"):
        raise SriqaError(f"--sheet {sheet}: must end with .png, .jpg or .webp")
    from ..data.image_pairs import write_pairs
    from .contents import find_contents
    from .distances import measure
    from .dists import load_dists
    from .mad import common_root, select_pairs

    found = find_contents(root, lr, method, skip_incomplete)
    for each in found.notes:
        note(each)
    if len(found.contents) < k:
        note(f"{counted(len(found.contents), 'content')}, fewer than {k}: all are taken")
    images = common_root(found)
    make_folder(output)
    if sheet is not None:
        refuse(sheet, [*found.results.values(), *found.inputs.values()])
    dists = load_dists(vgg_weights, dists_weights, device_of(device))
    selected = select_pairs(found, measure(found, dists, output), k, lambda_1, groups)
    write_pairs(output / "pairs.csv", selected)
    if sheet is not None:
        from .contact_sheet import draw_sheet

        draw_sheet(sheet, selected, images)
    note(f"{counted(len(selected), 'pair')}; paths of images are relative to {images}")
    print(output / "pairs.csv")
