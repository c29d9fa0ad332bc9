"""The folder of a run: one run at a time, its settings, its log, and checkpoints to go on from."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import platform
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from ...errors import SriqaError
from ...files import listed, sweep, write_text
from .checkpoint_files import resumable, write_checkpoint

_PACKAGES = ("sriqa-metric", "torch", "numpy", "pillow", "timm", "open_clip_torch", "safetensors")
_COLUMNS = ("seconds", "stage", "step", "loss", "value")


class RunFolder:
    """A folder that one process at a time writes a run into; use it with `with`.

    `config.json` holds the settings, `inputs.json` what identifies each input, `versions.json` the
    packages, `log.csv` every loss, `<stage>.checkpoint` what a stage goes on from after a kill.

    Parameters
    ----------
    path : Path
        New, empty, or the folder of a stopped run with the same settings.
    settings : dict
        Plain JSON values.
    inputs : mapping
        Name of each input -> what changes with it; see `inputs.run_inputs`.

    Raises
    ------
    SriqaError
        If the folder holds something else, a run with other settings or inputs or one that is
        finished, or if another process is at work in it.
    """

    def __init__(
        self, path: Path, settings: dict[str, Any], inputs: Mapping[str, str] | None = None
    ) -> None:
        self.path = path
        text = json.dumps(settings, indent=1) + "\n"
        stored = path / "config.json"
        if path.exists() and not path.is_dir():
            raise SriqaError(f"{path}: is no folder; give the run a new one")
        if stored.exists() and _read(stored, "give the run a new folder") != text:
            raise SriqaError(f"{path}: holds a run with other settings; give this one a new folder")
        strange = path.exists() and not stored.exists() and any(_visible(path))
        if (path / "report.json").exists():
            raise SriqaError(f"{path}: holds a run that is finished; give this one a new folder")
        if strange:
            raise SriqaError(f"{path}: is not empty; give the run a new folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SriqaError(f"{path}: cannot make the folder: {error.strerror}") from None
        self._lock = FileLock(path / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise SriqaError(f"{path}: another run is at work in this folder") from None
        sweep(path)
        write_text(stored, text)
        try:
            _require_same(path / "inputs.json", inputs or {})
        except SriqaError:
            self._lock.release()
            raise
        write_text(path / "versions.json", json.dumps(_versions(), indent=1) + "\n")
        self._start = time.monotonic()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def log(self, stage: str, step: int, losses: dict[str, float]) -> None:
        """Append losses of a step to `log.csv`."""
        seconds = f"{time.monotonic() - self._start:.1f}"
        file = self.path / "log.csv"
        new = not file.exists()
        with file.open("a", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            if new:
                rows.writerow(_COLUMNS)
            for name, value in losses.items():
                rows.writerow([seconds, stage, step, name, f"{value:.6g}"])

    def save(self, stage: str, step: int, state: dict[str, Any]) -> None:
        """Keep what `stage` needs to go on after `step`: tensors and plain values."""
        write_checkpoint(self._checkpoint(stage), step, state)

    def resume(self, stage: str) -> tuple[int, dict[str, Any]] | None:
        """Step and state of the stage's last checkpoint; lines logged after it are taken back.

        Raises
        ------
        SriqaError
            If the checkpoint or the log is damaged.
        """
        path = self._checkpoint(stage)
        if not path.exists():
            self._forget(stage, -1)
            return None
        step, state = resumable(path)
        self._forget(stage, step)
        return step, state

    def _checkpoint(self, stage: str) -> Path:
        return self.path / f"{stage}.checkpoint"

    def _forget(self, stage: str, after: int) -> None:
        file = self.path / "log.csv"
        if not file.exists():
            return
        text = _read(file, "delete it, the run goes on without its past losses")
        rows = [row for row in csv.reader(text.splitlines()) if len(row) == len(_COLUMNS)]
        kept = [r for r in rows[1:] if r[1] != stage or (r[2].isdigit() and int(r[2]) <= after)]
        lines = io.StringIO()
        csv.writer(lines).writerows([_COLUMNS, *kept])
        write_text(file, lines.getvalue())


def _require_same(file: Path, inputs: Mapping[str, str]) -> None:
    """Refuse inputs that are not those the run was started with; of a new run, keep them."""
    way_out = "put back what was there, or give the run a new folder"
    if not file.exists():
        write_text(file, json.dumps(dict(inputs), indent=1) + "\n")
        return
    try:
        before = json.loads(_read(file, way_out))
    except (ValueError, RecursionError):
        before = None
    if not isinstance(before, dict):
        raise SriqaError(f"{file}: is damaged, it does not list inputs; give the run a new folder")
    changed = [name for name in inputs if name in before and before[name] != inputs[name]]
    added = [name for name in inputs if name not in before]
    gone = [name for name in before if name not in inputs]
    told = [
        f"{what}: {listed(names)}"
        for what, names in (("changed", changed), ("new", added), ("missing", gone))
        if names
    ]
    if told:
        raise SriqaError(
            f"{file.parent}: inputs are not those that the run was started with: "
            f"{'; '.join(told)}; {way_out}"
        )


def _read(file: Path, way_out: str) -> str:
    """The text of a file of the run."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SriqaError(f"{file}: is damaged, it is no UTF-8 text; {way_out}") from None
    except OSError as error:
        reason = error.strerror or error
        raise SriqaError(f"{file}: cannot be read: {reason}; {way_out}") from None


def _visible(path: Path) -> Iterable[Path]:
    return (entry for entry in path.iterdir() if not entry.name.startswith("."))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
