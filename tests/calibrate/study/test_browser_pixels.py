"""One image pixel is one device pixel, whatever the screen and the zoom."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.calibrate.study import browser as shared
from tests.calibrate.study.browser import begin
from tests.chromium import ARGUMENTS, CHROMIUM, MARKS

pytestmark = MARKS
open_page, study = shared.open_page, shared.study  # the fixtures


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
