"""The figure for a paper: complete, of a column's width, the same twice."""

import re
import sys

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.compare import Comparison
from sriqa_metric.compare.comparisons import Comparisons
from sriqa_metric.compare.plot import COLUMN, TEXT, write_plot
from sriqa_metric.errors import SriqaError

matplotlib = pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")


@pytest.fixture
def made(rng):
    """Makes comparisons of two methods by metrics on data sets."""

    def made(metrics="m", data_sets=("",), n=6, names=("method a", "b")) -> Comparisons:
        each = [
            Comparison.from_scores(
                names,
                rng.normal(size=(len(names), n)),
                metric=f"metric {metric}",
                weights="w",
                data_set=data_set,
                higher_is_better=metric != "l",
            )
            for data_set in data_sets
            for metric in metrics
        ]
        return Comparisons(tuple(each))

    return made


def words(path) -> str:
    return " | ".join(re.findall(r">([^<>\n]+)</text>", path.read_text(encoding="utf-8")))


def test_it_names_methods_metrics_directions_and_data_sets(made, tmp_path):
    write_plot(made("hl", ("Set5", "Urban100")), tmp_path / "f.svg")
    found = words(tmp_path / "f.svg")
    for name, times in (("method a", 2), ("metric h ↑", 2), ("metric l ↓", 2), ("Urban100", 1)):
        assert found.count(name) == times


@pytest.mark.parametrize(("metrics", "width"), [("a", COLUMN), ("ab", TEXT), ("abcde", TEXT)])
def test_it_is_as_wide_as_a_column_or_two(made, tmp_path, metrics, width):
    path = tmp_path / "f.png"
    write_plot(made(metrics), path)
    with Image.open(path) as image:
        assert image.width == pytest.approx(300 * width, abs=2)
        assert image.height < image.width


@pytest.mark.parametrize("ending", ["pdf", "png", "svg"])
def test_the_same_comparison_is_the_same_file(made, tmp_path, ending):
    comparisons, path = made("hl"), tmp_path / f"f.{ending}"
    write_plot(comparisons, path)
    first = path.read_bytes()
    write_plot(comparisons, path)
    assert path.read_bytes() == first
    assert not re.search(rb"CreationDate|<dc:date>", first)


def test_text_of_a_pdf_is_text(made, tmp_path):
    write_plot(made(), tmp_path / "f.pdf")
    text = (tmp_path / "f.pdf").read_bytes()
    assert b"/FontFile2" in text  # TrueType, and so Type 42
    assert b"/Type3" not in text


def test_nothing_of_matplotlib_is_changed(made, tmp_path):
    before = dict(matplotlib.rcParams)
    write_plot(made(), tmp_path / "f.pdf")
    assert dict(matplotlib.rcParams) == before


def test_names_are_no_formulas_and_leave_room(made, tmp_path):
    write_plot(made(names=("$a^b$ \\frac", "x" * 200)), tmp_path / "f.svg")
    found = words(tmp_path / "f.svg")
    assert "$a^b$ \\frac" in found
    assert "x" * 39 + "…" in found


def test_one_image_has_no_interval(made, tmp_path):
    write_plot(made(n=1), tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 1000


def test_marks_are_where_the_scores_are(made, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    comparisons = made("l")
    write_plot(comparisons, tmp_path / "f.png")
    (axes,) = drawn[0].axes
    (one,) = comparisons.each
    dots, means = axes.lines[::2], axes.lines[1::2]
    for k, method in enumerate(one.methods):
        np.testing.assert_array_equal(dots[k].get_xdata(), one.scores[k])
        assert means[k].get_xdata() == [method.mean]
        assert means[k].get_ydata() == [k]
        (line,) = axes.collections[k].get_segments()
        np.testing.assert_allclose(line[:, 0], [method.ci_low, method.ci_high])
    assert axes.xaxis_inverted()
    assert axes.yaxis_inverted()


@pytest.mark.answers("Outputs", "`--plot` with an unknown ending", "error: the known ones")
def test_an_unknown_ending(made, tmp_path):
    path = tmp_path / "f.docx"
    with pytest.raises(SriqaError, match=r"f\.docx: cannot write the plot: .*pdf.*png.*svg"):
        write_plot(made(), path)
    assert list(tmp_path.iterdir()) == []


def test_it_cannot_be_written(made, tmp_path):
    with pytest.raises(SriqaError, match=r"f\.png: cannot be written: No such file"):
        write_plot(made(), tmp_path / "missing" / "f.png")


def test_without_matplotlib(made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SriqaError, match=r"pip install 'sriqa-metric\[plot\]'"):
        write_plot(made(), tmp_path / "f.png")
