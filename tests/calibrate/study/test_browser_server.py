"""A page and its server: what is loaded ahead, and what happens when the server fails."""

import sqlite3

import pytest

from tests.calibrate.study import browser as shared
from tests.calibrate.study.browser import answer, begin, shown, until, votes
from tests.chromium import MARKS

pytestmark = MARKS
open_page, study = shared.open_page, shared.study  # the fixtures


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


@pytest.mark.answers(
    "Study and votes",
    "a lost connection, or a server killed while an answer is on its way",
    "the page says so and sends it again; no vote is lost or doubled",
)
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


@pytest.mark.answers(
    "Study and votes",
    "a vote that the server cannot store just now (503)",
    "the page says so, keeps the answer and sends it again by itself",
)
def test_a_locked_file_is_told_and_loses_no_answer(study, open_page, tmp_path):
    page = open_page(study(training=0).url)
    begin(page)
    until(page, "!locked")
    holder = sqlite3.connect(tmp_path / "votes.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#banner:not([hidden])")
    assert page.inner_text("#banner") == (
        "The study's file cannot be used just now. "
        "Nothing is lost: this page tries again by itself."
    )
    assert votes(tmp_path / "votes.sqlite") == []
    holder.execute("ROLLBACK")
    holder.close()
    until(page, "where.done === 1")
    page.wait_for_selector("#banner", state="hidden")
    assert len(votes(tmp_path / "votes.sqlite")) == 1
