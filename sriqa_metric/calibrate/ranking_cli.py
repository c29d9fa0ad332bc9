"""Commands of `sriqa-calibrate` that lead to a ranking: pairs, a study of them, its votes."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import SriqaError


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
    from ..weights import find_device
    from .dists import load_dists
    from .mad import common_root, select_pairs, write_pairs
    from .mad_contents import find_contents
    from .mad_distances import measure

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
        from .sheet import draw_sheet

        draw_sheet(sheet, selected, images)
    print(f"note: {len(selected)} pairs; their images are relative to {images}", file=sys.stderr)
    print(output / "pairs.csv")


def study(
    pairs: Annotated[Path, typer.Argument(help="CSV file of pairs, as `select` writes it.")],
    images: Annotated[Path, typer.Option(help="Folder that the images' paths are relative to.")],
    db: Annotated[Path, typer.Option(help="SQLite file; a study that is in it is continued.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 picks a free one.")] = 8000,
    admin_token: Annotated[
        str | None,
        typer.Option(
            envvar="SRIQA_ADMIN_TOKEN", help="Opens the experimenter's page; by default a new one."
        ),
    ] = None,
    trials_per_subject: Annotated[
        int | None, typer.Option(help="Pairs that each subject sees; by default all.")
    ] = None,
    tie: Annotated[bool, typer.Option("--tie", help="Allow the answer `no difference`.")] = False,
    repeat_rate: Annotated[float, typer.Option(help="Repeated pairs, per pair.")] = 0.05,
    obvious_rate: Annotated[float, typer.Option(help="Obvious pairs, per pair.")] = 0.05,
    training: Annotated[int, typer.Option(help="Practice trials at the start.")] = 3,
) -> None:
    """Collect votes: serve the page of a 2AFC study until Ctrl-C."""
    from .study.assignment import Settings
    from .study.server import serve

    settings = Settings(trials_per_subject, tie, repeat_rate, obvious_rate, training)
    serve(pairs, images, db, host, port, admin_token, settings)


def votes(
    db: Annotated[Path, typer.Argument(help="SQLite file of a study; it may be running.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file to write.")],
    schema: Annotated[
        str, typer.Option(help="tidy (one line per vote) or realsr1k (one line per pair).")
    ] = "tidy",
) -> None:
    """Write the votes of a study to a CSV file."""
    from .study.export import export_votes

    print(f"{output}: {export_votes(db, output, schema)} lines", file=sys.stderr)


class RankFormat(str, Enum):
    """How a ranking is written."""

    table = "table"
    json = "json"
    csv = "csv"


def rank(
    votes: Annotated[
        Path, typer.Argument(metavar="VOTES.csv", help="RealSR-1K's schema, or one vote a line.")
    ],
    format: Annotated[RankFormat, typer.Option(help="How to write it.")] = RankFormat.table,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Resamples for the intervals; 0: asymptotic intervals.")
    ] = 1000,
    prior_variance: Annotated[
        float | None, typer.Option(help="Variance of a Gaussian prior on every score.")
    ] = None,
    votes_per_pair: Annotated[
        int, typer.Option(min=1, help="Votes that the fractions of RealSR-1K's schema are of.")
    ] = 23,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Picture to write: ranking, stability and win rates.")
    ] = None,
) -> None:
    """Rank SR methods by votes: Thurstone's model, fitted by maximum likelihood.

    The ranking goes to stdout, notes to stderr; `--format csv` writes what `train` reads.
    Exit status: 0 ranked, 1 the votes give no ranking (the message says why), 2 wrong usage.
    """
    if prior_variance is not None and not 0 < prior_variance < float("inf"):
        raise typer.BadParameter(f"{prior_variance} is not positive", param_hint="--prior-variance")
    # The matrices are small: threads of the linear algebra would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from .rank_report import rank_votes, write_report
    from .votes import read_votes

    try:
        report = rank_votes(read_votes(votes, votes_per_pair), bootstrap, prior_variance, seed)
        write_report(report, format.value, sys.stdout)
        for note in report.notes:
            print(f"note: {note}", file=sys.stderr)
        if plot is not None:
            from .plots import plot_ranking

            plot_ranking(report, plot)
    except SriqaError as error:
        print(f"sriqa-calibrate: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
