"""A subject's session, from the consent to the last answer."""

from tests.calibrate.study import browser as shared
from tests.calibrate.study.browser import answer, answer_all, begin, shown, until, votes
from tests.chromium import MARKS

pytestmark = MARKS
open_page, study = shared.open_page, shared.study  # the fixtures


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
