"""The page: complete, self-contained, well-formed, safe."""

from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.compare import Comparison
from sriqa_metric.compare.report import (
    LONGEST_SIDE,
    MOST_CONTENTS,
    WIDTH,
    Axis,
    render,
    strip,
    write_report,
)
from sriqa_metric.errors import SriqaError

VOID = {"meta", "img", "wbr", "br"}


class Page(HTMLParser):
    """Elements, texts, and whether every element is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def made(rng, tmp_path) -> Comparison:
    """Two methods on eight contents with pictures."""
    paths = [[str(tmp_path / f"{k}_{m}.png") for k in range(8)] for m in "ab"]
    for path in (path for row in paths for path in row):
        shape = (700, 350, 3) if "0_a" in path else (20, 30, 3)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
    scores = np.array([np.arange(8.0), np.zeros(8)])
    return Comparison.from_scores(
        ["method a", "method b"],
        scores,
        [f"content {k}" for k in range(8)],
        metric="some_metric",
        weights="sha256:0123",
        paths=tuple(map(tuple, paths)),
    )


def test_it_says_everything(made):
    text = render(made, "sriqa-compare 'a b' c")
    page = Page(text)
    seen = " ".join(" ".join(page.texts).split())
    for expected in (
        "some_metric",
        "sha256:0123",
        "a metric's opinion, not people's",
        made.pairs[0].verdict,
        "sriqa-compare 'a b' c",
        "Wilcoxon",
    ):
        assert expected in seen
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1
    assert all(cell["scope"] in ("col", "row") for cell in page.all("th"))
    names = [svg["aria-labelledby"] for svg in page.all("svg") if svg.get("role") == "img"]
    assert names == [title["id"] for title in page.all("title") if title]
    assert len(set(names)) == 4


def test_it_needs_nothing_else(made):
    page = Page(render(made))
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    assert all(image["src"].startswith("data:image/webp;base64,") for image in page.all("img"))
    assert "http" not in render(made).replace("http-equiv", "")


def test_pictures_with_the_widest_range(made):
    page = Page(render(made))
    images = page.all("img")
    assert [image["alt"] for image in images] == [
        f"content {k}, result of method {m}" for k in range(7, 7 - MOST_CONTENTS, -1) for m in "ab"
    ]
    assert {(image["width"], image["height"]) for image in images} == {("30", "20")}


def test_large_pictures_are_reduced(made):
    first = Comparison.from_scores(
        ["a", "b"],
        made.scores[:, :1],
        metric="m",
        weights="w",
        paths=tuple(row[:1] for row in made.paths),
    )
    large, small = Page(render(first)).all("img")
    assert (large["width"], large["height"]) == ("240", str(LONGEST_SIDE))
    assert (small["width"], small["height"]) == ("30", "20")


def test_a_picture_that_is_gone(made, tmp_path):
    (tmp_path / "7_b.png").unlink()
    page = Page(render(made))
    assert len(page.all("img")) == 2 * MOST_CONTENTS - 1
    assert "The file can no longer be read." in page.texts


@pytest.mark.answers(
    "Names and lists",
    "`<script>` or other markup in a name, in the page of `sriqa-compare`",
    "shown, not run",
)
def test_hostile_names(hostile, tmp_path):
    path = tmp_path / "report.html"
    write_report(hostile, path, hostile.methods[0].name)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.all("script") == []
    assert "49" not in [piece.strip() for piece in page.texts]
    seen = "".join(page.texts)
    assert "<script>alert(1)</script>" in seen
    assert r"caf\xe9" in seen
    assert "\"quoted\" 'twice' & {{ 7 * 7 }}" in seen


@pytest.mark.parametrize("n", [1, 2])
def test_few_and_equal_scores(n):
    found = Comparison.from_scores(["a", "b"], np.zeros((2, n)), metric="m", weights="w")
    text = render(found)
    Page(text)
    assert "nan" not in text.lower()
    assert "have equal scores" in text


def test_the_report_cannot_be_written(made, tmp_path):
    with pytest.raises(SriqaError, match=r"r\.html: cannot be written: No such file"):
        write_report(made, tmp_path / "missing" / "r.html")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 10.0], ["0", "2", "4", "6", "8", "10"]),
        ([-1.0, 1.0], ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        ([3.0, 3.0], None),
        ([0.0, 0.0], None),
        ([1e9, 1e9 + 1], None),
        ([-1e-12, 1e-12], None),
    ],
)
def test_axis(values, labels):
    axis = Axis.over(np.array(values))
    places = [place for place, _ in axis.ticks]
    assert places == sorted(places)
    assert all(0 <= place <= WIDTH for place in places)
    assert 0 < axis.at(min(values)) <= axis.at(max(values)) < WIDTH
    if labels:
        assert [label for _, label in axis.ticks] == labels


def test_strip_has_a_dot_for_every_score(rng):
    scores = rng.normal(size=50)
    assert strip(scores, Axis.over(scores)).count("h0") == 50
