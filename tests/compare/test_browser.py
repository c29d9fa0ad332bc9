"""The report in a real browser."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from sriqa_metric.compare import Comparison, compare
from sriqa_metric.compare.comparisons import Comparisons
from sriqa_metric.compare.report import write_report
from sriqa_metric.quality_map import QualityMap
from tests.chromium import MARKS
from tests.conftest import EXAMPLES

pytestmark = MARKS
METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")
CONTENTS = ("astronaut", "chelsea", "coffee")
ALL_VISIBLE = (
    "[...document.querySelectorAll('table, figure')].every((one) => one.checkVisibility())"
)


@pytest.fixture
def opened(browser, tmp_path) -> Iterator:
    """Opens the report of comparisons; it may request nothing but itself and log no problem."""
    contexts, problems, requests = [], [], []
    path = tmp_path / "report.html"

    def opened(*comparisons, width=1280, height=900, scheme="light", quality_map=None, **options):
        write_report(Comparisons(comparisons), path, "sriqa-compare a b", quality_map)
        size = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, **options))
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


@pytest.fixture
def examples(rng) -> list[Comparison]:
    """The example images on two data sets by three metrics, of which the last falls."""
    paths = tuple(tuple(str(EXAMPLES / f"{c}_{m}.png") for c in CONTENTS) for m in METHODS)
    return [
        Comparison.from_scores(
            METHODS,
            rng.normal(size=(3, 3)),
            CONTENTS,
            metric=metric,
            weights="w",
            paths=paths,
            data_set=data_set,
            higher_is_better=metric != "falling",
        )
        for data_set in ("Set5", "Urban100")
        for metric in ("a_metric_with_a_long_name", "psnr", "falling")
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_report(lite, opened, width, scheme):
    patterns = [f"{EXAMPLES}/*_{method}.png" for method in METHODS]
    (found,) = compare(patterns, lite).each
    page = opened(found, width=width, scheme=scheme)
    assert page.locator("h1").inner_text() == "Comparison of 3 SR methods"
    methods = page.locator("table").first.locator("tbody th").all_inner_texts()
    assert methods == [method.name for method in found.best_first]
    assert methods[-1] == "bicubic"
    assert page.locator("li").all_inner_texts() == [pair.verdict for pair in found.pairs]
    assert page.locator("img.result").count() == 9
    assert page.evaluate("[...document.images].every((one) => one.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    # The marks of the intervals stand in the order of the means.
    middles = [mark.bounding_box()["x"] for mark in page.locator("path.dot").all()]
    assert middles == sorted(middles, reverse=True)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_many_metrics_on_many_data_sets(opened, examples, width, scheme):
    page = opened(*examples, width=width, height=740, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    part = page.locator("details.part").first
    assert not part.locator("table").first.is_visible()
    part.locator("summary").focus()
    page.keyboard.press("Enter")
    assert part.locator("table").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if width == 360:  # what is too wide scrolls by itself, by keyboard too
        table = page.locator(".scroll").first
        assert table.evaluate("one => one.scrollWidth > one.clientWidth")
        table.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
        assert table.evaluate("one => one.scrollLeft") > 0


def test_folded_sections_are_printed(opened, examples):
    page = opened(*examples)
    assert not page.evaluate(ALL_VISIBLE)
    page.emulate_media(media="print")
    assert page.evaluate(ALL_VISIBLE)
    assert not page.locator(".slider").first.is_visible()
    assert page.pdf().startswith(b"%PDF")


def shown(stage) -> list[str]:
    """What stands left and right of the middle of a slider, of plain pictures."""
    return stage.evaluate("""stage => {
      const [below, above] = stage.querySelectorAll("img");
      return [above.alt, below.alt, getComputedStyle(above).clipPath];
    }""")


def test_two_methods_in_one_place(opened, examples):
    page = opened(examples[0])
    stage = page.locator(".stage").first
    best, *_, worst = page.locator(".content").first.locator("img.result").all()
    left, right, cut = shown(stage)
    assert (left, right) == (best.get_attribute("alt"), worst.get_attribute("alt"))
    assert cut == "inset(0px 50% 0px 0px)"
    # By keyboard: the two lists, then the divider.
    lists = page.locator(".content").first.locator("select")
    lists.first.focus()
    page.keyboard.press("ArrowDown")
    assert shown(stage)[0] == page.locator("img.result").nth(1).get_attribute("alt")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    assert shown(stage)[1] == page.locator("img.result").nth(1).get_attribute("alt")
    page.keyboard.press("Tab")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert shown(stage)[2] == "inset(0px 40% 0px 0px)"
    assert stage.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    # By pointer: the divider goes where it points.
    box = stage.bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 20)
    assert float(stage.locator("input").input_value()) == pytest.approx(25, abs=1)


def test_the_divided_picture_is_that_of_each_side(opened, tmp_path, rng):
    from PIL import Image

    colours = ((255, 0, 0), (0, 0, 255))
    paths = [tmp_path / f"{k}.png" for k in range(2)]
    for path, colour in zip(paths, colours, strict=True):
        Image.new("RGB", (200, 100), colour).save(path)
    page = opened(
        Comparison.from_scores(
            ["red", "blue"],
            np.array([[2], [1]]),
            metric="m",
            weights="w",
            paths=tuple((str(path),) for path in paths),
        )
    )
    page.locator(".stage").screenshot(path=tmp_path / "stage.png")
    with Image.open(tmp_path / "stage.png") as image:
        pixels = np.asarray(image.convert("RGB"), int)
    assert np.abs(pixels[50, 20] - colours[0]).max() < 5
    assert np.abs(pixels[50, 180] - colours[1]).max() < 5


def test_without_script_the_pictures_stand_side_by_side(opened, examples):
    page = opened(examples[0], java_script_enabled=False)
    assert page.locator("img.result").count() == 9
    assert not page.locator(".slider").first.is_visible()
    places = [image.bounding_box() for image in page.locator("img.result").all()[:3]]
    assert len({place["y"] for place in places}) == 1


def test_maps_lie_under_their_pictures(opened, examples):
    start = np.array([0])
    one = QualityMap(np.ones((1, 1), "f"), start, start, 224, 512, 512, 1.0, "lite", "w")
    page = opened(examples[0], quality_map=lambda path: one)
    results, maps = page.locator("img.result").all(), page.locator("img.heat").all()
    assert len(results) == len(maps) == 9
    assert len({one.bounding_box()["y"] for one in maps[:3]}) == 1
    for result, one in zip(results, maps, strict=True):
        above, below = result.bounding_box(), one.bounding_box()
        assert (above["x"], above["width"]) == (below["x"], below["width"])
        assert above["y"] + above["height"] < below["y"]


def test_hostile_names_run_nothing(hostile, opened):
    page = opened(hostile, replace(hostile, data_set=hostile.methods[0].name))
    assert page.locator("script").count() == 0
    assert page.locator("table").first.locator("tbody tr").count() == 4
