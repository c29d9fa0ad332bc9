"""What the tests in a browser share: the page, opened and used as a subject does."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sriqa_metric.calibrate.data.image_pairs import Pair, write_pairs
from tests.calibrate.study.conftest import ServerProcess

pytest.importorskip("starlette", reason="the extra `study` is not installed")
pytest.importorskip("uvicorn", reason="the extra `study` is not installed")

EXAMPLES = Path(__file__).parents[3] / "examples" / "images"
METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")


@pytest.fixture
def study(tmp_path: Path, server: Callable[..., ServerProcess]) -> Callable[..., ServerProcess]:
    """Starts a study of the example images: nine pairs."""
    rows = [
        Pair(f"{c}-{a}-{b}", c, a, b, f"{c}_{a}.png", f"{c}_{b}.png", f"{c}_LR.png", "mad")
        for c in ("astronaut", "chelsea", "coffee")
        for a, b in itertools.combinations(METHODS, 2)
    ]
    pairs_csv = tmp_path / "pairs.csv"
    write_pairs(pairs_csv, rows)
    return lambda **options: server(pairs_csv, EXAMPLES, tmp_path / "votes.sqlite", **options)


@pytest.fixture
def open_page(browser) -> Iterator[Callable]:
    """Opens pages in contexts of their own, which share nothing; no page may log a problem."""
    contexts, problems = [], []

    def open_page(url: str, width: int = 1680, height: int = 900, scaled=None):
        size = {"viewport": {"width": width, "height": height}}
        context = scaled.new_context(no_viewport=True) if scaled else browser.new_context(**size)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20000)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        page.goto(url)
        return page

    hosts: set[str] = set()
    yield open_page
    for context in contexts:
        context.close()
    assert len(hosts) == 1
    # What a browser says about a refused request or a lost connection is no problem of the page.
    assert [text for text in problems if "Failed to load resource" not in text] == []


def until(page, expression: str) -> None:
    """Wait; playwright's own way needs `eval` in the page, which its policy forbids."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(15)


def shown(page, name: str) -> None:
    page.wait_for_selector(f"#{name}:not([hidden])")


def begin(page, code: str | None = None) -> str:
    """From the first screen to the first trial, with the keyboard alone; returns the code."""
    shown(page, "welcome")
    used = page.input_value("#code")
    tab_to(page, "resume-code" if code else "consent")
    if code:
        page.keyboard.type(code)
    else:
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    shown(page, "check")
    tab_to(page, "begin")
    page.keyboard.press("Enter")
    shown(page, "trial")
    return code or used


def tab_to(page, name: str) -> None:
    for _ in range(20):
        if page.evaluate("document.activeElement.id") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached with Tab")


def answer(page, key: str | None = None, action: Callable | None = None) -> None:
    """Answer the trial on the screen, and wait until it has gone."""
    shown(page, "trial")
    until(page, "!locked")
    before = page.evaluate("current.trial.id")
    if key:
        page.keyboard.press(key)
    else:
        action()
    until(page, f"!answering && current?.trial.id !== {before}")


def answer_all(page, keys: str = "lr") -> None:
    for number in itertools.count():
        until(page, "!document.getElementById('trial').hidden || !current")
        if page.is_visible("#done"):
            return
        if page.is_visible("#pause"):
            page.keyboard.press("Enter")
            shown(page, "trial")
        answer(
            page, {"l": "ArrowLeft", "r": "ArrowRight", "d": "ArrowDown"}[keys[number % len(keys)]]
        )


def votes(path: Path) -> list[tuple]:
    with sqlite3.connect(path) as db:
        return db.execute(
            "SELECT kind, choice, a_side, response_ms FROM vote "
            "JOIN trial ON trial.id = vote.trial ORDER BY vote.voted"
        ).fetchall()
