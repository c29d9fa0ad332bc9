"""What every command shares: options, where it writes, and how an error ends it."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TextIO, TypeVar

import typer

from ..errors import SriqaError
from ..files import replaced
from ..names import visible
from ..processors import available
from ..version import __version__

if TYPE_CHECKING:
    import torch

CONTEXT: Final = {"help_option_names": ["-h", "--help"]}
AUTO: Final = "auto"

_Names = TypeVar("_Names")
PLOTS: Final = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")

# What is raised for wrong usage; typer exports no name for it, and it is its own or click's.
_UsageError: Final[Any] = typer.BadParameter.__base__
_OUTPUT = ("--output", "-o")
_NEXT = "\n  "


def _print_version(asked: bool) -> None:
    if asked:
        print(f"sriqa-metric {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
    ),
]
# A command names those that it writes: Format[Literal["table", "csv"]].
Format = Annotated[
    _Names,
    typer.Option(
        help="How to write the results; in CSV, names that would be formulas get an apostrophe."
    ),
]
Output = Annotated[Path | None, typer.Option(*_OUTPUT, help="Write here instead of stdout.")]
OutputFile = Annotated[Path, typer.Option(*_OUTPUT, help="File to write.")]
OutputFolder = Annotated[
    Path, typer.Option(*_OUTPUT, help="Folder to write into; what was stopped in it goes on.")
]
Metric = Annotated[str, typer.Option(help="Name of the metric; see sriqa-score --list.")]
Weights = Annotated[Path | None, typer.Option(help="Use this weights file.")]
Device = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option(help="Where the network runs; auto takes CUDA where there is any."),
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Crops in one pass; by default what is fast.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Threads that decode; by default what is fast.")
]
MaxPixels = Annotated[
    int | None,
    typer.Option(min=1, help="Images of more pixels are errors; by default of 200000000."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of the network on the CPU; one per core.")
]
Bootstrap = Annotated[int, typer.Option(min=0, help="Resamples for the intervals.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the resampling.")]
SkipIncomplete = Annotated[
    bool, typer.Option("--skip-incomplete", help="Leave out contents that some method lacks.")
]


def device_of(name: str, threads: int | None = None) -> torch.device:
    """The device that an option `Device` means, after setting the threads of the CPU.

    Where they are asked for neither by the option nor by `OMP_NUM_THREADS`, torch takes one per
    core, which may be more than a container lets run.

    Raises
    ------
    SriqaError
        If there is none here.
    """
    import torch

    from ..weights.load import find_device

    if threads is None and "OMP_NUM_THREADS" not in os.environ:
        may_run = available()
        threads = may_run if may_run < torch.get_num_threads() else None
    if threads:
        torch.set_num_threads(threads)
    if name == AUTO:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return find_device(name)


def say(command: str, message: object) -> None:
    """One line on stderr; lines of a list in the message are indented by two blanks."""
    print(f"{command}: {_visible(message)}", file=sys.stderr)


def note(message: object) -> None:
    """One line on stderr that goes with the results on stdout."""
    print(f"note: {_visible(message)}", file=sys.stderr)


def _visible(message: object) -> str:
    return _NEXT.join(map(visible, str(message).split(_NEXT)))


@contextmanager
def told(command: str, status: int = 2) -> Iterator[None]:
    """Tell in one line what ends a command, and end it with an exit status; also a decorator.

    Parameters
    ----------
    command : str
        Its name.
    status : int
        For what the user can put right, a `SriqaError`; Ctrl-C is 130. What the system refuses, as
        a full disk does, is 2.
    """
    try:
        yield
        sys.stdout.flush()
    except SriqaError as error:
        say(command, error)
        raise typer.Exit(status) from None
    except KeyboardInterrupt:
        say(command, "stopped")
        raise typer.Exit(130) from None
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader is gone, and click ends quietly
            raise
        where = error.filename
        if where is None:  # it was written into, and that is stdout
            _drop_stdout()
            where = "stdout: cannot be written"
        say(command, f"{where}: {error.strerror or error}")
        raise typer.Exit(2) from None


def _drop_stdout() -> None:
    """What is left to write goes nowhere; else the end of the process would try it again."""
    with suppress(OSError):  # no file, in tests
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def run(app: typer.Typer, command: str) -> None:
    """Run a command as the process that this is; wrong usage is one line, too."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names that are no text are written as the bytes that they are; other encodings than
        # UTF-8 have no place for most names.
        utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
    # So that nothing is left half written: what waits for the end of a block is done.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        status = app(standalone_mode=False, prog_name=command)
    except _UsageError as error:
        _tell(error, command)
        status = error.exit_code
    sys.exit(status)


def _tell(error: Any, command: str) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":  # nothing was asked for: that is its message
        error.show()
        return
    problem = " ".join(error.format_message().split()).rstrip(".")
    # Without a context it is an option without its argument.
    say(command, f"{problem}; see {error.ctx.command_path} --help" if error.ctx else problem)


def refuse(path: Path, inputs: Iterable[str | os.PathLike[str]] = ()) -> None:
    """Refuse an output that could not be written later; nothing is changed.

    Parameters
    ----------
    path : Path
        The output.
    inputs : iterable of paths
        Files, and folders of files, that must not be written over.

    Raises
    ------
    SriqaError
        If its folder is missing, it is a folder or one of the inputs, or must not be written.
    """
    if path.is_dir():
        raise SriqaError(f"{path}: is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise SriqaError(f"{path}: there is no folder {path.parent}; make it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SriqaError(f"{path}: cannot be written: {os.strerror(errno.EACCES)}")
    if (path.is_file() or not path.exists()) and any(_is_in(path, other) for other in inputs):
        raise SriqaError(f"{path}: is used by this command already; give another name")


def refuse_plot(
    path: Path, inputs: Iterable[str | os.PathLike[str]] = (), others: tuple[str, ...] = ()
) -> None:
    """As `refuse`, for a picture that matplotlib draws; `others` are endings of other files.

    Raises
    ------
    SriqaError
        Also for an ending that says no format, and where matplotlib is not installed.
    """
    refuse(path, inputs)
    ending = path.suffix.lower()
    if ending in others:
        return
    if ending and ending not in PLOTS:  # without one it is a PNG
        raise SriqaError(f"{path}: must end with one of {', '.join((*PLOTS, *others))}")
    if find_spec("matplotlib") is None:
        raise SriqaError(
            f"{path}: pictures need matplotlib, which is not installed: "
            "pip install 'sriqa-metric[plot]'"
        )


def make_folder(path: Path) -> None:
    """Make the folder that a command writes into, where it is not there.

    Raises
    ------
    SriqaError
        If it cannot be made, or must not be written into.
    """
    if path.is_file():
        raise SriqaError(f"{path}: is a file; give the name of a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SriqaError(f"{path}: cannot make the folder: {error.strerror or error}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise SriqaError(f"{path}: cannot be written into: {os.strerror(errno.EACCES)}")


def _is_in(path: Path, other: str | os.PathLike[str]) -> bool:
    """Whether an output is an input, or there already in a folder of inputs."""
    if os.path.isdir(other):
        return path.is_file() and Path(other).resolve() in path.resolve().parents
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there (yet)
        return os.path.abspath(path) == os.path.abspath(other)


@contextmanager
def opened(path: Path | None, inputs: Iterable[str | os.PathLike[str]] = ()) -> Iterator[TextIO]:
    """A stream for results; a file is there when the block ends without error, whole.

    Parameters
    ----------
    path : Path, optional
        Stdout by default.
    inputs : iterable of paths
        See `refuse`.

    Raises
    ------
    SriqaError
        If it cannot be written; before the block as far as that can be known.
    """
    if path is None:
        yield sys.stdout
        return
    refuse(path, inputs)
    with (
        replaced(path) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        yield stream
