"""The page: complete, self-contained, well-formed, safe."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.compare import Comparison
from sriqa_metric.compare.charts import MOST_PAIRS
from sriqa_metric.compare.comparison import Failure
from sriqa_metric.compare.comparisons import Comparisons, Missing
from sriqa_metric.compare.matching import Unmatched
from sriqa_metric.compare.pictures import MOST_CONTENTS
from sriqa_metric.compare.report import MOST_OPEN, render, write_report
from sriqa_metric.compare.wording import MARKS
from sriqa_metric.errors import SriqaError

VOID = {"meta", "img", "wbr", "br", "input"}


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

    @property
    def seen(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def alone(comparison: Comparison) -> Comparisons:
    return Comparisons((comparison,))


@pytest.fixture
def made(rng, tmp_path) -> Comparison:
    """Two methods on eight contents with pictures."""
    paths = [[str(tmp_path / f"{k}_{m}.png") for k in range(8)] for m in "ab"]
    for path in (path for row in paths for path in row):
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    scores = np.array([np.arange(8.0), np.zeros(8)])
    return Comparison.from_scores(
        ["method a", "method b"],
        scores,
        [f"content {k}" for k in range(8)],
        metric="some_metric",
        weights="sha256:0123",
        paths=tuple(map(tuple, paths)),
    )


@pytest.fixture
def many(rng):
    """Makes comparisons of three methods by metrics, of which l falls, on data sets."""

    def many(metrics: str, data_sets=("",), **known) -> Comparisons:
        each = [
            Comparison.from_scores(
                ["first", "second", "third"],
                rng.normal(size=(3, 5)),
                metric=f"metric_{metric}",
                weights=f"weights of {metric}",
                data_set=data_set,
                higher_is_better=metric != "l",
                **known,
            )
            for data_set in data_sets
            for metric in metrics
        ]
        return Comparisons(tuple(each))

    return many


def check(text: str) -> Page:
    """What every page has: one title, headings in turn, names of all that is drawn."""
    page = Page(text)
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1
    assert all(cell["scope"] in ("col", "row", "colgroup") for cell in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    names = [svg["aria-labelledby"] for svg in page.all("svg") if svg.get("role") == "img"]
    assert names == [title["id"] for title in page.all("title") if title]
    targets = {link["href"].removeprefix("#") for link in page.all("a")}
    assert targets <= set(ids)
    return page


def test_it_says_everything(made):
    page = check(render(alone(made), "sriqa-compare 'a b' c"))
    for expected in (
        "some_metric ↑",
        "higher is better",
        "sha256:0123",
        "a metric's opinion, not people's",
        made.pairs[0].verdict,
        "sriqa-compare 'a b' c",
        "Wilcoxon",
        "Win rates",
        "Distribution of the scores",
        "Where the methods differ most",
    ):
        assert expected in page.seen
    assert len([svg for svg in page.all("svg") if svg.get("role") == "img"]) == 4
    assert page.all("details") == []
    assert "Summary" not in page.texts


def test_it_needs_nothing_else(made):
    text = render(alone(made))
    page = Page(text)
    assert page.all("link") == page.all("iframe") == []
    assert all(image["src"].startswith("data:image/webp;base64,") for image in page.all("img"))
    assert "http" not in text.replace("http-equiv", "")


def test_its_policy_allows_its_one_script_alone(made):
    text = render(alone(made))
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [m["content"] for m in Page(text).all("meta") if "http-equiv" in m]
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")


def test_pictures_stand_in_it_once(made):
    images = Page(render(alone(made))).all("img")
    assert [image["alt"] for image in images] == [
        f"content {k}, result of method {m}" for k in range(7, 7 - MOST_CONTENTS, -1) for m in "ab"
    ]
    assert {(image["width"], image["height"]) for image in images} == {("30", "20")}
    assert len({image["src"] for image in images}) == len(images)


def test_a_slider_needs_two_pictures(made, tmp_path):
    assert len(Page(render(alone(made))).all("input")) == MOST_CONTENTS
    (tmp_path / "7_b.png").unlink()
    page = Page(render(alone(made)))
    assert len(page.all("input")) == MOST_CONTENTS - 1
    assert "7_b.png: no such file" in page.seen


def test_a_summary_of_several_metrics_and_data_sets(many):
    comparisons = many("hl", ("Set5", "Urban100"))
    text = render(comparisons)
    page = check(text)
    table = Page(text[text.index("<table") : text.index("</table>") + 8])
    metrics = "metric_h ↑ metric_l ↓"
    assert table.seen.startswith(f"Set5 Urban100 method {metrics} {metrics} first ")
    assert [cell.get("colspan") for cell in table.all("th")[:2]] == ["2", "2"]
    assert len(table.all("td")) == 1 + 3 * 4
    for comparison in comparisons.each:
        for pair in comparison.pairs:
            assert pair.verdict in page.seen
    assert page.seen.count("means a lower score") == 2
    for metric in "hl":
        assert f"metric_{metric} weights weights of {metric}" in page.seen


def test_marks_of_the_summary_are_those_of_the_tables():
    scores = np.array([[0.0], [5], [9]]) + np.arange(20)
    each = [
        Comparison.from_scores(
            ["worst", "middle", "best"],
            sign * scores,
            metric=f"m{sign}",
            weights="w",
            higher_is_better=sign > 0,
        )
        for sign in (1, -1)
    ]
    text = render(Comparisons(tuple(each)))
    assert re.findall(r'<span class="best">(.+?)</span>', text) == ["18.50", "-18.50"]
    assert re.findall(r'<span class="second">(.+?)</span>', text) == ["14.50", "-14.50"]
    assert MARKS in Page(text).seen


def test_metrics_that_agree_and_contradict_each_other():
    scores = np.array([[0.0], [5]]) + np.arange(20)
    x = Comparison.from_scores(["a", "b"], scores, metric="x", weights="w")
    y = Comparison.from_scores(["a", "b"], -scores, metric="y", weights="w")
    page = check(render(Comparisons((x, y))))
    assert "x y -1.00 -1.00 1 Agreement of metrics:" in page.seen
    assert "x has b better than a, y a better than b" in page.seen


def test_a_metric_that_is_missing_on_a_data_set(many):
    whole = many("ab", ("Set5", "x"))
    failed = (Failure("zebra", "x/zebra.png", "x/zebra.png: is cut off"),)
    missing = Missing("metric_b", "x", "metric_b on x: no content could be scored", failed)
    text = render(Comparisons(whole.each[:3], (missing,)))
    page = check(text)
    assert missing.reason in page.seen
    assert "x: zebra: x/zebra.png: is cut off" in page.seen
    table = Page(text[text.index("<table") : text.index("</table>") + 8])
    assert len(table.all("td")) == 1 + 3 * 4
    assert len(table.all("a")) == 3


@pytest.mark.parametrize(("metrics", "opened"), [("ab", True), ("abcd", True), ("abcde", False)])
def test_many_sections_are_folded(many, metrics, opened):
    page = check(render(many(metrics)))
    sections = [one for one in page.all("details") if one.get("class") == "part"]
    assert len(sections) == len(metrics)
    assert opened == (len(metrics) <= MOST_OPEN)
    assert all(("open" in one) == opened for one in page.all("details"))


def test_one_method_is_compared_with_none(made):
    one = replace(made, methods=made.methods[:1], scores=made.scores[:1], pairs=())
    page = check(render(alone(one)))
    assert page.all("h1")
    assert "Comparison of 1 SR method" in page.seen
    assert "Distribution of the scores" in page.texts
    for lacking in ("Verdicts", "Win rates", "Pairs", "Where the methods differ most"):
        assert lacking not in page.texts


@pytest.mark.parametrize(("methods", "folded"), [(6, False), (7, True)])
def test_many_verdicts_are_folded(methods, folded):
    scores = np.arange(methods)[:, None] + np.zeros(20)
    names = [f"m{k}" for k in range(methods)]
    comparison = Comparison.from_scores(names, scores, metric="m", weights="w")
    page = check(render(alone(comparison)))
    assert len(page.all("details")) == folded
    assert all(pair.verdict in page.seen for pair in comparison.pairs)
    assert ("21 pairs, of which 21 can be told apart" in page.seen) == folded


@pytest.mark.parametrize(
    ("metrics", "drawn"), [("a", 0), ("ab", 1), ("abc", 3), ("abcd", MOST_PAIRS), ("abcdef", 5)]
)
def test_scatter_plots(many, metrics, drawn):
    text = render(many(metrics, ("x", "y")))
    page = check(text)
    figures = [one for one in page.all("figure") if one.get("class") == "scatter"]
    assert len(figures) == 2 * drawn
    assert page.seen.count("15 images") == 4 * drawn  # beside it and for screen readers
    assert ("Metrics against each other" in page.texts) == bool(drawn)


def test_what_is_the_same_of_all_metrics_is_told_once(many):
    lacking = (Unmatched("lost", ("first",)),)
    text = render(many("abc", ("Set5",), unmatched=lacking, notes=("a note",)))
    assert check(text).seen.count("Set5: lost: not in first") == 1
    assert text.count("Set5: a note") == 1


def test_a_metric_without_weights(many):
    comparison = Comparison.from_scores(["a", "b"], np.eye(2), metric="psnr", weights="")
    assert "psnr without weights" in check(render(alone(comparison))).seen


@pytest.mark.answers(
    "Names and lists",
    "`<script>` or other markup in a name, in the page of `sriqa-compare`",
    "shown, not run",
)
def test_hostile_names(hostile, tmp_path):
    path = tmp_path / "report.html"
    named = replace(hostile, data_set=hostile.methods[0].name)
    write_report(Comparisons((hostile, named)), path, hostile.methods[0].name)
    text = path.read_text(encoding="utf-8")
    page = check(text)
    assert page.all("script") == []
    assert "49" not in [piece.strip() for piece in page.texts]
    seen = "".join(page.texts)
    assert "<script>alert(1)</script>" in seen
    assert r"caf\xe9" in seen
    assert "\"quoted\" 'twice' & {{ 7 * 7 }}" in seen


@pytest.mark.parametrize("n", [1, 2])
def test_few_and_equal_scores(n):
    found = Comparison.from_scores(["a", "b"], np.zeros((2, n)), metric="m", weights="w")
    text = render(alone(found))
    check(text)
    assert "nan" not in text.lower()
    assert "have equal scores" in text


def test_the_report_cannot_be_written(made, tmp_path):
    with pytest.raises(SriqaError, match=r"r\.html: cannot be written: No such file"):
        write_report(alone(made), tmp_path / "missing" / "r.html")
