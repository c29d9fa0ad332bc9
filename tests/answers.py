"""Writes docs/answers.md: inputs and faults, each with the answer that a test holds for it.

A test says which rows it holds by the mark ``answers(kind, given, answer)``, as often as it has
rows::

    @pytest.mark.answers("Image files", "a PNG without its last row", "error: cut off")

    python -m tests.answers
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "answers.md"
KINDS = (
    "Image files",
    "Images in memory",
    "Work and memory",
    "Data sets on Ray",
    "Outputs",
    "Names and lists",
    "Weights and the Hub",
    "Study and votes",
    "Training runs",
    "Modules",
)
_HEAD = """# What happens when

Each row is held by the test that is named beside it. The page is made from the tests by
`python -m tests.answers`.
"""


class _Collected:
    items: tuple[pytest.Item, ...] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = tuple(session.items)


def page() -> str:
    """The page, from the marks of all tests."""
    collected = _Collected()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = pytest.main(["--collect-only", "-m", "", str(ROOT / "tests")], plugins=[collected])
    if status:
        raise RuntimeError(printed.getvalue())
    rows: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for item in collected.items:
        test = item.nodeid.split("[")[0].replace("::", " ")
        for mark in item.iter_markers("answers"):
            kind, given, answer = mark.args
            rows[kind].setdefault((given, answer), test)
    if unknown := set(rows) - set(KINDS):
        raise RuntimeError(f"no such kind: {unknown}; kinds are {KINDS}")
    parts = [_HEAD]
    for kind in KINDS:
        if rows[kind]:
            lines = [f"| {given} | {answer} | `{t}` |" for (given, answer), t in rows[kind].items()]
            parts.append(f"## {kind}\n\n| given | answer | test |\n|---|---|---|\n")
            parts[-1] += "\n".join(lines) + "\n"
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
