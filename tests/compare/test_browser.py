"""The report in a real browser."""

from collections.abc import Iterator

import pytest

from sriqa_metric.compare import compare
from sriqa_metric.compare.report import write_report
from tests.chromium import MARKS
from tests.conftest import EXAMPLES

pytestmark = MARKS
METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")


@pytest.fixture
def opened(browser, tmp_path) -> Iterator:
    """Opens a comparison's report; it may request nothing but itself and log no problem."""
    contexts, problems, requests = [], [], []
    path = tmp_path / "report.html"

    def opened(comparison, width=1280, scheme="light"):
        write_report(comparison, path, "sriqa-compare a b")
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert {url for url in requests if not url.startswith("data:")} == {path.as_uri()}
    assert problems == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_report(lite, opened, width, scheme):
    found = compare(lite, [f"{EXAMPLES}/*_{method}.png" for method in METHODS])
    page = opened(found, width, scheme)
    assert page.locator("h1").inner_text() == "Comparison of 3 SR methods"
    methods = page.locator("table").first.locator("tbody th").all_inner_texts()
    assert methods == [method.name for method in found.best_first]
    assert methods[-1] == "bicubic"
    assert page.locator("li").all_inner_texts() == [pair.verdict for pair in found.pairs]
    images = page.locator("img")
    assert images.count() == 9
    assert page.evaluate("[...document.images].every((one) => one.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # The marks of the intervals stand in the order of the means.
    middles = [mark.bounding_box()["x"] for mark in page.locator("path.dot").all()]
    assert middles == sorted(middles, reverse=True)


def test_hostile_names_run_nothing(hostile, opened):
    page = opened(hostile)
    assert page.locator("script").count() == 0
    assert page.locator("table").first.locator("tbody tr").count() == 4
