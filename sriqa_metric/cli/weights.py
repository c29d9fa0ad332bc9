"""`sriqa-weights`: what a weights file is, whether it is whole, and files from and for others."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..names import visible
from .common import CONTEXT, Format, OutputFile, Version, refuse, run, say, told
from .wrapping import width_of, wrapped

if TYPE_CHECKING:
    from ..metric import CalibratedMetric

NAME = "sriqa-weights"
app = typer.Typer(add_completion=False, no_args_is_help=True)

_FIRST = ("metric", "encoder", "license", "format_version", "package_version", "crop_policy")
# Of Markdown: a blank line, or the next entry of a list.
_PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*[-*+|] )")
Source = Annotated[
    str, typer.Argument(metavar="NAME_OR_FILE", help="Name of a metric, or a weights file.")
]


@app.callback(context_settings=CONTEXT)
def weights(version: Version = False) -> None:
    """Weights files: show, verify, find, convert from published checkpoints, write as ONNX.

    Exit status: 0 done, 1 the weights to verify are bad or cannot be had, 2 wrong usage or input.
    """


@app.command()
@told(NAME)
def show(source: Source, format: Format[Literal["table", "json"]] = "table") -> None:
    """Say what a weights file is and what it was made from; no tensor is read."""
    path = _found(source)
    description, facts = _header(path)
    found = {"file": str(path), **facts, "description": description}
    if format == "json":
        print(json.dumps(found, indent=2))
    else:
        _print_table(found)


@app.command()
@told(NAME, 1)
def verify(source: Source) -> None:
    """Check a weights file whole: every value, a score, and the hash of released weights."""
    path = _found(source)
    from ..registry import CATALOG, find_spec
    from ..weights.header import read_description
    from ..weights.load import read_weights

    spec = CATALOG.get(source) or find_spec(str(read_description(path)["metric"]))
    metric = read_weights(path, spec)
    _check_score(metric, path)
    print(f"ok {metric.weights_id}")


@app.command()
@told(NAME)
def path(source: Source) -> None:
    """Print where a weights file lies, downloaded first if need be; so is a thin one's encoder."""
    from ..hub import fetch
    from ..weights.encoder import encoder_file

    path = _found(source)
    if encoder := encoder_file(_header(path)[0], path):
        fetch(encoder)
    print(path)


@app.command()
@told(NAME)
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="A file of torch.save.")],
    metric: Annotated[
        Literal["sriqa_clip", "sriqa_dbcnn", "sriqa_hyperiqa"],
        typer.Option(help="The metric whose network it is."),
    ],
    output: OutputFile,
    training_data: Annotated[str, typer.Option(help="What it was trained on.")],
    license: Annotated[str, typer.Option(help="License of the checkpoint.")],
) -> None:
    """Make a weights file from a published checkpoint; nothing in it is run.

    The rectifier becomes the identity, so scores are those of the quality model: the rectifier of
    the authors' released script reads features of another network (MANIQA) and does not fit.
    """
    refuse(output, [checkpoint])
    from ..weights.convert import convert
    from ..weights.format import weights_id

    left_out = convert(checkpoint, metric, output, training_data, license)
    if left_out:
        say(
            NAME,
            f"left out {', '.join(left_out)}: the released rectifier reads features of another "
            "network (MANIQA); the file has the identity instead",
        )
    print(f"{output} {weights_id(output)}")


@app.command()
@told(NAME)
def onnx(source: Source, output: OutputFile) -> None:
    """Write a metric as ONNX: images (batch, 3, height, width) in [0, 1] of any size -> scores.

    Crops are cut inside the graph, so any ONNX runtime gives the scores of sriqa-score.
    """
    path = _found(source)
    refuse(output, [path])
    from ..onnx_export import export_onnx

    print(f"{output} {export_onnx(path, output)}")


def _found(source: str) -> Path:
    """The weights file of a metric, which comes from the Hub checked, or the file of that path."""
    from ..registry import CATALOG

    if source in CATALOG:
        from ..weights.load import find_weights

        return find_weights(CATALOG[source])
    if Path(source).is_file():
        return Path(source)
    say(NAME, f"{source!r} is neither a file nor a metric; metrics: {', '.join(CATALOG)}")
    raise typer.Exit(2)


def _header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The description in a weights file, of any version, and facts of the file itself."""
    from ..files import sha256_of
    from ..weights.header import read_header

    header = read_header(path)
    sha256 = sha256_of(path)
    facts = {
        "bytes": header.file_size,
        "sha256": sha256,
        "weights": f"sha256:{sha256[:12]}",
        "tensors": len(header.tensors),
        "parameters": header.parameters,
        "dtype": ", ".join(header.dtypes),
    }
    return header.description(path), facts


def _check_score(metric: CalibratedMetric, path: Path) -> None:
    """A picture must have a score: finite weights can still overflow."""
    import math

    import torch

    from ..errors import WeightsError

    size = metric.policy.size
    ramp = torch.linspace(0, 1, size)
    noise = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))
    picture = 0.8 * ramp * ramp[:, None] + 0.2 * noise  # flat, steep and rough places
    with torch.inference_mode():
        score = metric(picture.unsqueeze(0)).item()
    if not math.isfinite(score):
        raise WeightsError(f"{path}: a test picture gets the score {score}; make the file anew")


def _print_table(found: dict[str, Any]) -> None:
    """A value stands beside its name; of several lines, or without room there, below it."""
    description = found.pop("description")
    rows = [(key, [str(value)]) for key, value in found.items()]
    for key in (*_FIRST, *sorted(description.keys() - set(_FIRST))):
        value = description.get(key)
        parts = value.items() if isinstance(value, dict) else [("", value)]
        rows += [(f"{key}.{part}" if part else key, _lines(inside)) for part, inside in parts]
    width, columns = max(len(label) for label, _ in rows), width_of(sys.stdout)
    for label, lines in rows:
        beside = visible(f"{label:<{width}}  {lines[0]}")
        if len(lines) == 1 and len(beside) <= (columns or len(beside)):
            print(beside)
            continue
        print(visible(label))
        for line in lines:
            # A path may have blanks.
            print(wrapped(visible(line), None if label == "file" else columns, "    "))


def _lines(value: Any) -> list[str]:
    """A value as lines: one a table of a list, one a paragraph of a text."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return list(map(_plain, value))
    parts = (" ".join(part.split()) for part in _PARAGRAPH.split(_plain(value)))
    return [part for part in parts if part] or ["none"]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{key} {_plain(inside)}" for key, inside in value.items())
    elif isinstance(value, list):
        text = ", ".join(map(_plain, value))
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = "not told" if value is None else str(value)
    return text or "none"


def main() -> None:
    """Entry point of `sriqa-weights`."""
    run(app, NAME)


if __name__ == "__main__":
    main()
