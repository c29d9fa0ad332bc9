"""The page of the experimenter."""

import csv
import re

from tests.calibrate.study import browser as shared
from tests.calibrate.study.browser import answer_all, begin
from tests.chromium import MARKS

pytestmark = MARKS
open_page, study = shared.open_page, shared.study  # the fixtures


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
