"""The commands `sriqa-calibrate export` and `sriqa-calibrate publish`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ...cli.common import OutputFile, note, refuse
from ...errors import SriqaError


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    output: OutputFile,
    license: Annotated[str, typer.Option(help="License of the weights, e.g. Apache-2.0.")],
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(help="Figures of `evaluate --format json`; may be repeated."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="Folder of images to choose the dtype on, beside made ones."),
    ] = None,
    notes: Annotated[
        Path | None,
        typer.Option(help="Markdown file for the card: what the run cannot know of itself."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="ORG/NAME@COMMIT:FILE",
            help="Of sriqa_clip: leave out the encoder, which is that of this CLIP on the Hub.",
        ),
    ] = None,
) -> None:
    """Write the final weights file of a run: with its data, its figures and its license.

    float16 where that changes scores by less than a thousandth, else float32. Figures must be of
    the run's weights.safetensors, or of an earlier export with the same tensors at --output.
    With --encoder the file is float32 and small; the encoder is fetched by those who use it.
    """
    of_run = (each for each in run.glob("*") if each.suffix != ".safetensors")
    inputs = [*(evaluation or []), run / "weights.safetensors", *of_run]
    inputs += [path for path in (reference, notes) if path]
    refuse(output, inputs)
    from ...weights.format import weights_id
    from .export import export

    try:
        text = notes.read_text(encoding="utf-8") if notes else ""
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SriqaError(f"{notes}: cannot be read: {reason}") from None
    precision = export(run, output, license, evaluation or [], reference, encoder, text)
    difference = f"changes scores by at most {precision['largest_difference']:.1e}"
    if not precision["float32_values"]:
        difference = "is all that the run kept"
    note(f"{precision['dtype']}: float16 {difference} ({precision['reference']})")
    print(f"{output} {weights_id(output)}")


def publish(
    repo: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repository on the Hub.")],
    weights: Annotated[Path, typer.Option(help="Weights file, as `export` writes it.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be published, and its README.md.")
    ] = False,
    tag: Annotated[str | None, typer.Option(help="Name this version, e.g. v1.")] = None,
) -> None:
    """Put a weights file and its card on the Hugging Face Hub, and print its registry entry.

    Where the Hub is and the token are huggingface_hub's settings (HF_ENDPOINT, HF_TOKEN).
    """
    from .publish import make_release, publish

    release = make_release(repo, weights)
    for name, facts in release.facts().items():
        print(f"{name} {facts['bytes']} bytes sha256:{facts['sha256']}", file=sys.stderr)
    if dry_run:
        kind = "private " if private else ""
        tagged = f", tagged {tag}" if tag else ""
        print(f"would go to the {kind}repository {repo}{tagged}", file=sys.stderr)
        print(release.files["README.md"].decode(), end="")  # type: ignore[union-attr]
        return
    found = publish(release, private, tag)
    print("HubFile(")
    for key, value in asdict(found).items():
        print(f'    {key}="{value}",')
    print(")")
