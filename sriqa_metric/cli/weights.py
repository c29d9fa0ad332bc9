"""`sriqa-weights`: what a weights file is, whether it is whole, and files from checkpoints."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SriqaError

app = typer.Typer(add_completion=False, no_args_is_help=True)


_FIRST = ("metric", "encoder", "license", "format_version", "package_version", "crop_policy")


class Format(str, Enum):
    """How a description is written."""

    table = "table"
    json = "json"


class Published(str, Enum):
    """Metrics whose networks others publish checkpoints of."""

    sriqa_clip = "sriqa_clip"
    sriqa_dbcnn = "sriqa_dbcnn"
    sriqa_hyperiqa = "sriqa_hyperiqa"


Source = Annotated[
    str, typer.Argument(metavar="NAME_OR_FILE", help="Name of a metric, or a weights file.")
]


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def weights() -> None:
    """Weights files: show, verify, find, and convert from published checkpoints.

    Exit status: 0 done, 1 the weights to verify are bad or cannot be had, 2 wrong usage or input.
    """


@app.command()
def show(
    source: Source,
    format: Annotated[Format, typer.Option(help="How to write it.")] = Format.table,
) -> None:
    """Say what a weights file is and what it was made from; no tensor is read."""
    with _exit_on_error():
        path = _found(source)
        description, facts = _header(path)
    found = {"file": str(path), **facts, "description": description}
    if format is Format.json:
        print(json.dumps(found, indent=2))
    else:
        _print_table(found)


@app.command()
def verify(source: Source) -> None:
    """Check a weights file whole: every tensor and value, and the hash of released weights."""
    with _exit_on_error(1):
        path = _found(source)
        from ..registry import CATALOG, find_spec
        from ..weights.header import read_description
        from ..weights.load import read_weights

        spec = CATALOG.get(source) or find_spec(str(read_description(path)["metric"]))
        metric = read_weights(path, spec)
    print(f"ok {metric.weights_id}")


@app.command()
def path(source: Source) -> None:
    """Print where a weights file lies, downloaded first if need be; so is a thin one's encoder."""
    with _exit_on_error():
        from ..hub import fetch
        from ..weights.encoder import encoder_file

        path = _found(source)
        if encoder := encoder_file(_header(path)[0], path):
            fetch(encoder)
    print(path)


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="A file of torch.save.")],
    metric: Annotated[Published, typer.Option(help="The metric whose network it is.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Weights file to write.")],
    training_data: Annotated[str, typer.Option(help="What it was trained on.")],
    license: Annotated[str, typer.Option(help="License of the checkpoint.")],
) -> None:
    """Make a weights file from a published checkpoint; nothing in it is run.

    The rectifier becomes the identity, so scores are those of the quality model: the rectifier of
    the authors' released script reads features of another network (MANIQA) and does not fit.
    """
    with _exit_on_error():
        from ..weights.convert import convert
        from ..weights.format import weights_id

        left_out = convert(checkpoint, metric.value, output, training_data, license)
    if left_out:
        _say(
            f"left out {', '.join(left_out)}: the released rectifier reads features of another "
            "network (MANIQA); the file has the identity instead"
        )
    print(f"{output} {weights_id(output)}")


def _found(source: str) -> Path:
    """The weights file of a metric, which comes from the Hub checked, or the file of that path."""
    from ..registry import CATALOG

    if source in CATALOG:
        from ..weights.load import find_weights

        return find_weights(CATALOG[source])
    if Path(source).is_file():
        return Path(source)
    _say(f"{source!r} is neither a file nor a metric; metrics: {', '.join(CATALOG)}")
    raise typer.Exit(2)


def _header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The description in a weights file, of any version, and facts of the file itself."""
    from safetensors import SafetensorError, safe_open

    from ..errors import WeightsError
    from ..files import sha256_of

    try:
        with safe_open(path, framework="np") as file:
            description = json.loads((file.metadata() or {})["sriqa"])
            slices = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118
        sha256 = sha256_of(path)
        size = path.stat().st_size
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"{path}: cannot read the weights: {reason}") from None
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from None
    except (KeyError, ValueError):
        description = None
    if not isinstance(description, dict):
        raise WeightsError(f"{path}: no description 'sriqa' in the header; not ours")
    facts = {
        "bytes": size,
        "sha256": sha256,
        "weights": f"sha256:{sha256[:12]}",
        "tensors": len(slices),
        "parameters": sum(math.prod(part.get_shape()) for part in slices),
        "dtype": ", ".join(sorted({part.get_dtype() for part in slices})),
    }
    return description, facts


def _print_table(found: dict[str, Any]) -> None:
    description = found.pop("description")
    rest = sorted(description.keys() - set(_FIRST))
    rows = []
    for key, value in [*found.items(), *((key, description.get(key)) for key in (*_FIRST, *rest))]:
        parts = value.items() if isinstance(value, dict) else [("", value)]
        rows += [(f"{key}.{part}" if part else key, _plain(inside)) for part, inside in parts]
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        line = f"{label:<{width}}  {text}"
        print("".join(c if c.isprintable() else "?" for c in line))  # no terminal codes


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{key} {_plain(inside)}" for key, inside in value.items())
    elif isinstance(value, list):
        text = ", ".join(map(_plain, value))
    else:
        text = "not told" if value is None else str(value)
    return text or "none"


@contextmanager
def _exit_on_error(status: int = 2) -> Iterator[None]:
    try:
        yield
    except SriqaError as error:
        _say(error)
        raise typer.Exit(status) from None


def _say(message: object) -> None:
    print(f"sriqa-weights: {message}", file=sys.stderr)


def main() -> None:
    """Entry point of `sriqa-weights`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    app()


if __name__ == "__main__":
    main()
