"""What the pages of a study can ask for: checked input, plain dictionaries out."""

from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.image_pairs import read_pairs
from .assignment import Settings, Trial
from .export import votes_csv
from .image_files import ImageFiles
from .images import StudyImages
from .report import report
from .schema import open_study
from .store import Progress, Refused, Store

AGE_BANDS = ("", "18-29", "30-44", "45-59", "60+")
SCREEN_VALUES = ("ratio", "width", "height", "screen_width", "screen_height", "colour_depth")
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Study:
    """A study that is ready to be served."""

    store: Store
    images: StudyImages
    db: Path
    admin_token: str

    @classmethod
    def open(
        cls, pairs_csv: Path, root: Path, db: Path, settings: Settings, admin_token: str
    ) -> Study:
        """Read the pairs, check every image, open or create the SQLite file."""
        pairs = read_pairs(pairs_csv)
        settings.check(len(pairs))
        checked = ImageFiles(pairs, root)  # first: images that are wrong make no file
        store = Store(db, pairs, settings)
        store.textured = checked.textured
        return cls(store, StudyImages(checked, store.secret), db, admin_token)

    def info(self, data: dict[str, Any]) -> dict[str, Any]:
        """What the page needs to know before a subject starts."""
        settings, pairs = self.store.settings, self.store.pairs
        return {
            "tie": settings.tie,
            "trials": len(settings.slots(len(pairs))) - settings.training,
            "training": settings.training,
            "width": max(width for width, _ in self.images.sizes),
            "height": max(height for _, height in self.images.sizes),
            "input": any(pair.image_lr for pair in pairs),
            "age_bands": AGE_BANDS[1:],
        }

    def start(self, data: dict[str, Any]) -> dict[str, Any]:
        """A new subject."""
        if data.get("consent") is not True:
            raise Refused(400, "Please agree to take part first.")
        age_band = _text(data, "age_band", 8)
        if age_band not in AGE_BANDS:
            raise Refused(400, f"age_band is {age_band!r}")
        start_id = _text(data, "start_id", 64)
        if len(start_id) < 16:
            raise Refused(400, f"start_id is {start_id!r}")
        code, notes = _text(data, "code", 64), _text(data, "display_notes", 200)
        return {"session": self.store.start(code, start_id, age_band, notes)}

    def resume(self, data: dict[str, Any]) -> dict[str, Any]:
        """A subject who has a code."""
        return {"session": self.store.resume(_text(data, "code", 64))}

    def progress(self, data: dict[str, Any]) -> dict[str, Any]:
        """Where a subject is and what comes next."""
        screen = data.get("screen")
        if screen is not None:
            if not isinstance(screen, dict):
                raise Refused(400, "screen is no object")
            values = {name: screen.get(name) for name in SCREEN_VALUES}
            screen = json.dumps({k: v for k, v in values.items() if _is_number(v)})
        return self._progress(self.store.progress(_text(data, "session", 64), screen))

    def vote(self, data: dict[str, Any]) -> dict[str, Any]:
        """Store a vote; when this returns, it is on disk."""
        trial, response_ms = (
            _integer(data, "trial", 1 << 62),
            _integer(data, "response_ms", _DAY_MS),
        )
        session, choice = _text(data, "session", 64), _text(data, "choice", 8)
        progress, stored, answered = self.store.vote(session, trial, choice, response_ms)
        reply = {"stored": trial, **self._progress(progress)}
        if answered.kind == "training":
            reply["right"] = stored == "a"
        return reply

    def _progress(self, progress: Progress) -> dict[str, Any]:
        return {
            "code": progress.code,
            "done": progress.done,
            "total": progress.total,
            "trials": [self._trial(trial) for trial in progress.trials],
        }

    def _trial(self, trial: Trial) -> dict[str, Any]:
        """What the browser may know of a trial: neither its kind nor the methods."""
        pair, size = self.store.pairs[trial.pair], self.images.sizes[trial.pair]
        if trial.source:
            path = pair.image_a if trial.source == "a" else pair.image_b
            names = [self.images.result(path), self.images.result(path, degraded=True)]
        else:
            names = [self.images.result(pair.image_a), self.images.result(pair.image_b)]
        if trial.a_side == "right":
            names.reverse()
        return {
            "id": trial.id,
            "training": trial.kind == "training",
            "width": size[0],
            "height": size[1],
            "left": f"/image/{names[0]}",
            "right": f"/image/{names[1]}",
            "input": f"/image/{self.images.input(pair.image_lr, size)}" if pair.image_lr else None,
        }

    def report(self) -> dict[str, Any]:
        """The experimenter's view."""
        with closing(open_study(self.db)) as db:
            return report(db)

    def votes_csv(self, schema: str) -> str:
        """The votes so far."""
        with closing(open_study(self.db)) as db:
            return votes_csv(db, schema)


def _text(data: dict[str, Any], name: str, longest: int) -> str:
    value = data.get(name, "")
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise Refused(400, f"{name} must be one line of at most {longest} characters")
    return value


def _integer(data: dict[str, Any], name: str, largest: int) -> int:
    value = data.get(name)
    if type(value) is not int or not 0 <= value <= largest:
        raise Refused(400, f"{name} must be an integer from 0 to {largest}")
    return value


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e6  # type: ignore[arg-type]
