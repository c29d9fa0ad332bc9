import csv
import io
import itertools
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.data.image_pairs import Pair, write_pairs
from tests.calibrate.study.conftest import ServerProcess

pytest.importorskip("starlette", reason="the extra `study` is not installed")
pytest.importorskip("uvicorn", reason="the extra `study` is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = os.environ.get("SRIQA_CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium; set SRIQA_CHROMIUM to its path"),
    pytest.mark.slow,
]
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
EXAMPLES = Path(__file__).parents[3] / "examples" / "images"
METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")


@pytest.fixture(scope="module")
def driver() -> Iterator:
    with playwright.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(driver) -> Iterator:
    chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield chromium
    chromium.close()


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


def test_a_whole_session_by_keyboard(study, open_page, tmp_path):
    page = open_page(study().url)
    begin(page)
    assert page.inner_text("#where") == "Practice"
    for _ in range(3):
        answer(page, "ArrowRight")
    shown(page, "pause")
    assert "Practice is over" in page.inner_text("#pause")
    page.keyboard.press("Enter")
    shown(page, "trial")
    assert page.inner_text("#where") == "1 of 11"
    answer(page, "1")
    assert page.inner_text("#where") == "2 of 11"
    answer(page, "2")
    answer_all(page)
    shown(page, "done")
    assert "11 pairs" in page.inner_text("#done")
    found = votes(tmp_path / "votes.sqlite")
    assert len(found) == 14
    sides = [
        side if choice == "a" else {"left": "right", "right": "left"}[side]
        for _, choice, side, _ in found
    ]
    assert sides[:6] == ["right"] * 3 + ["left", "right", "left"]
    assert all(350 <= ms < 20000 for *_, ms in found)
    page.reload()
    shown(page, "welcome")


def test_resume_by_code_in_another_browser(study, open_page, tmp_path):
    url = study(training=0).url
    page = open_page(url)
    code = begin(page)
    for _ in range(4):
        answer(page, "ArrowLeft")
    page.keyboard.press("p")
    shown(page, "pause")
    assert code in page.inner_text("#pause")
    other = open_page(url)
    begin(other, code.upper())
    assert other.inner_text("#where") == "5 of 11"
    answer(other, "ArrowLeft")
    # The first browser still shows the fifth pair: its answer is the second, and is not stored.
    page.keyboard.press("Enter")
    assert page.inner_text("#where") == "5 of 11"
    answer(page, "ArrowRight")
    assert page.inner_text("#where") == "6 of 11"
    answer_all(page)
    assert len(votes(tmp_path / "votes.sqlite")) == 11


def test_reload_goes_on_at_the_same_trial(study, open_page):
    page = open_page(study(training=0).url)
    begin(page)
    answer(page, "ArrowLeft")
    trial = page.evaluate("current.trial")
    page.reload()
    shown(page, "pause")
    assert "Welcome back" in page.inner_text("#pause")
    page.keyboard.press("Enter")
    shown(page, "trial")
    assert page.evaluate("current.trial") == trial


def test_tie_button_and_key(study, open_page, tmp_path):
    page = open_page(study(tie=True, training=0, obvious_rate=0, repeat_rate=0).url)
    begin(page)
    answer(page, "ArrowDown")
    answer(page, "3")
    answer(page, action=lambda: page.click("#vote-tie"))
    answer_all(page, "d")
    assert [choice for _, choice, *_ in votes(tmp_path / "votes.sqlite")] == ["tie"] * 9


def test_no_tie_by_default(study, open_page, tmp_path):
    page = open_page(study(training=0).url)
    begin(page)
    until(page, "!locked")
    assert not page.is_visible("#vote-tie")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("3")
    answer(page, "ArrowLeft")
    assert len(votes(tmp_path / "votes.sqlite")) == 1


def test_clicks_and_double_clicks(study, open_page, tmp_path):
    page = open_page(study(training=0).url)
    begin(page)
    answer(page, action=lambda: page.dblclick("[data-side=left] .pane"))
    answer(page, action=lambda: page.dblclick("#vote-right"))
    until(page, "!locked")
    page.click("[data-side=input] .pane")
    box = page.locator("[data-side=left] .pane").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.up()  # a drag is no click
    for _ in range(3):
        page.keyboard.down("ArrowLeft")  # held: the second and third are repetitions
    page.keyboard.up("ArrowLeft")
    until(page, "where.done === 3 && !locked")
    found = [
        (choice == "a") == (side == "left")
        for _, choice, side, _ in votes(tmp_path / "votes.sqlite")
    ]
    assert found == [True, False, True]


@pytest.mark.parametrize("ratio", [1, 1.25, 1.5, 2])
def test_one_image_pixel_is_one_device_pixel(study, open_page, driver, ratio):
    # The emulated ratio of a context is another thing than that of a real screen.
    scale = [
        f"--force-device-scale-factor={ratio}",
        f"--window-size={round(2010 / ratio)},{round(1300 / ratio)}",
    ]
    scaled = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS + scale)
    page = open_page(study(training=0, obvious_rate=0).url, scaled=scaled)
    begin(page)
    assert page.evaluate("devicePixelRatio") == ratio
    screen = picture(page)
    for side in ("left", "input", "right"):
        x, y = corner(page, side)
        found = screen[y : y + 512, x : x + 512]
        np.testing.assert_array_equal(found, image_of(page, side))
    page.context.close()
    scaled.close()


def test_zoom_and_pan_move_all_images_together(study, open_page):
    page = open_page(study(training=0).url, 1000, 620)
    begin(page)
    assert "You see a part" in page.inner_text("#view")
    for key in ("+", "+", "s", "d", "d"):
        page.keyboard.press(key)
    screen, view = picture(page), page.evaluate("view")
    assert view["zoom"] == 3
    for side in ("left", "input", "right"):
        zoomed = image_of(page, side).repeat(3, 0).repeat(3, 1)
        part = zoomed[view["y"] :, view["x"] :][: view["height"], : view["width"]]
        x, y = corner(page, side)
        found = screen[y : y + view["height"], x : x + view["width"]]
        np.testing.assert_array_equal(found, part)
    box = page.locator("[data-side=right] .pane").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + 90)
    page.mouse.up()
    moved = page.evaluate("view")
    assert (moved["x"] - view["x"], moved["y"] - view["y"]) == (30, 10)
    page.mouse.wheel(0, -100)
    assert page.evaluate("view.zoom") == 4
    page.keyboard.press("0")
    assert page.evaluate("view.zoom") == 1


def picture(page) -> np.ndarray:
    with Image.open(io.BytesIO(page.screenshot())) as image:
        return np.asarray(image.convert("RGB"))


def image_of(page, side: str) -> np.ndarray:
    address = page.evaluate(f"current.images.{side}.src")
    with Image.open(io.BytesIO(page.request.get(address).body())) as image:
        return np.asarray(image)


def corner(page, side: str) -> tuple[int, int]:
    ratio = page.evaluate("devicePixelRatio")
    box = page.locator(f"[data-side={side}] .pane").bounding_box()
    return round(box["x"] * ratio), round(box["y"] * ratio)


def test_the_next_pair_is_loaded_before_it_is_needed(study, open_page):
    page = open_page(study(training=0).url)
    begin(page)
    until(page, "where.trials.length === 2")
    page.evaluate("prepared.get(where.trials[1].id)")
    asked: list[str] = []
    coming = page.evaluate("where.trials[1]")
    page.on("request", lambda request: asked.append(request.url))
    answer(page, "ArrowLeft")
    assert not any(coming[side] in url for url in asked for side in ("left", "right"))


def test_a_killed_server_loses_no_answer(study, open_page, tmp_path):
    running = study(training=0)
    page = open_page(running.url)
    begin(page)
    answer(page, "ArrowLeft")
    until(page, "!locked")
    running.kill()
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#banner:not([hidden])")
    page.keyboard.press("ArrowRight")  # not taken: the first answer is on its way
    running.start()
    until(page, "where.done === 2")
    page.wait_for_selector("#banner", state="hidden")
    # Also when the page is left while the answer is on its way.
    until(page, "!locked")
    running.kill()
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#banner:not([hidden])")
    running.start()
    page.reload()
    shown(page, "pause")
    assert "3 of 11" in page.inner_text("#pause")
    found = votes(tmp_path / "votes.sqlite")
    assert [(choice == "a") == (side == "left") for _, choice, side, _ in found] == [True] * 3


def test_consent_and_code_are_needed(study, open_page):
    url = study().url
    page = open_page(url)
    shown(page, "welcome")
    page.click("#start button")
    assert page.is_visible("#welcome")
    code = begin(page)
    other = open_page(url)
    shown(other, "welcome")
    other.fill("#code", code)
    other.check("#consent")
    with other.expect_response("**/api/start") as reply:
        other.click("#start button")
    assert reply.value.status == 409
    assert "is taken" in other.inner_text("#start-error")
    other.fill("#resume-code", "<b>nobody</b>")
    other.click("#resume button")
    other.wait_for_selector("#resume-error:not([hidden])")
    assert other.inner_text("#resume-error") == "There is no such code."


def test_a_window_that_is_too_small(study, open_page):
    page = open_page(study().url, 500, 800)
    shown(page, "welcome")
    page.check("#consent")
    page.click("#start button")
    shown(page, "check")
    assert page.is_disabled("#begin")
    page.set_viewport_size({"width": 1000, "height": 800})
    until(page, "!document.getElementById('begin').disabled")
    assert "The largest images need 1632" in page.inner_text("#check-fit")


def test_the_page_of_the_experimenter(study, open_page, tmp_path):
    url = study(training=0).url
    subject = open_page(url)
    code = begin(subject)
    answer_all(subject)
    page = open_page(f"{url}/admin")
    page.wait_for_selector("#login:not([hidden])")
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#login-error:not([hidden])")
    page.fill("#token", "the-admin-token")
    page.keyboard.press("Enter")
    page.wait_for_selector("#admin:not([hidden])")
    assert code in page.inner_text("#subjects")
    assert "11 of 11" in page.inner_text("#subjects")
    assert re.search(r"9 votes; 1 to 1 per pair", page.inner_text("#level"))
    assert page.is_visible("#no-ranking") != page.is_visible("#ranking")
    for name, lines in (("tidy", 11), ("realsr1k", 9)):
        with page.expect_download() as download:
            page.click(f"#{name}")
        download.value.save_as(tmp_path / "votes.csv")
        with (tmp_path / "votes.csv").open(newline="") as stream:
            assert len(list(csv.DictReader(stream))) == lines
    linked = open_page(f"{url}/admin#the-admin-token")
    linked.wait_for_selector("#admin:not([hidden])")
    assert linked.url == f"{url}/admin"
