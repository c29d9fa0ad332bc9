"""The same formats for several metrics and data sets, and for a single method."""

import csv
import io
import re

import numpy as np
import pytest

from sriqa_metric.compare import Comparison, Comparisons
from sriqa_metric.compare.comparison import Failure
from sriqa_metric.compare.comparisons import Missing
from sriqa_metric.compare.output import WRITERS, write_comparisons
from tests.compare.test_output import strict_json, text_of


@pytest.fixture
def several(rng) -> Comparisons:
    """Three methods by two metrics on two data sets; one metric lacks the second."""

    def one(metric, data_set, scores, up, **options):
        return Comparison.from_scores(
            ["bicubic", "gan", "dat"],
            scores,
            metric=metric,
            weights=f"{metric} weights",
            data_set=data_set,
            higher_is_better=up,
            **options,
        )

    level = rng.normal(0, 0.01, (3, 20))
    rises, falls = np.array([[1.0], [2], [3]]), np.array([[200.0], [500], [400]])
    return Comparisons(
        (
            one("psnr", "Set_5", level + rises, True),
            one("niqe", "Set_5", 100 * level + falls, False),
            one(
                "niqe", "Set14", 1000 * level + falls, False, failed=(Failure("x", "x.png", "no"),)
            ),
        ),
        (Missing("psnr", "Set14", "psnr on Set14: there is no ground truth"),),
    )


def test_several_in_latex(several):
    lines = text_of(several, "latex").splitlines()
    body = [line for line in lines if not line.startswith("%")]
    assert body[:6] == [
        r"\begin{tabular}{lcccc}",
        r"\toprule",
        r" & \multicolumn{2}{c}{Set\_5} & \multicolumn{2}{c}{Set14} \\",
        r"\cmidrule(lr){2-3} \cmidrule(lr){4-5}",
        r"Method & psnr $\uparrow$ & niqe $\downarrow$ & psnr $\uparrow$ & niqe $\downarrow$ \\",
        r"\midrule",
    ]
    for line in body[6:9]:
        assert len(re.split(r"(?<!\\)&", line)) == 5
    assert [line.split(" & ")[0] for line in body[6:9]] == ["bicubic", "gan", "dat"]
    assert re.match(r"bicubic & \$0\.\d+\$ & \$\\mathbf{\d+\.\d+}\$ & -- & \$\\mathbf", body[6])
    assert any("n = 20 images of Set_5, n = 20 images of Set14 (niqe)" in line for line in lines)
    assert any("Set_5 psnr has gan better than bicubic, niqe bicubic better" in li for li in lines)
    assert any("psnr on Set14: there is no ground truth" in line for line in lines)
    assert sum("left out: Set14: a file of x failed" in line for line in lines) == 1
    with_halves = text_of(several, "latex", intervals=True)
    assert with_halves.count(r"\pm") == 9
    assert "% ±: 95 % t interval" in with_halves


def test_several_in_markdown(several):
    lines = text_of(several, "md").splitlines()
    assert lines[0] == "| method | Set_5 psnr ↑ | Set_5 niqe ↓ | Set14 psnr ↑ | Set14 niqe ↓ |"
    assert {line.count("|") for line in lines[:5]} == {6}
    assert re.match(r"\| dat \| \*\*3\.\d+\*\* \| <u>\d+\.\d+</u> \|  \| <u>", lines[4])
    assert "| Set_5 psnr | niqe | -0.50 | -0.50 | 2 |" in lines
    assert any("higher is better" in line for line in lines)
    assert any("lower is better" in line for line in lines)


def test_several_in_a_table(several):
    text = text_of(several, "table", intervals=True)
    head, *_ = [line.split() for line in text.splitlines() if "method" in line]
    assert head == [
        "method",
        "Set_5",
        "psnr",
        "↑",
        "Set_5",
        "niqe",
        "↓",
        "Set14",
        "psnr",
        "↑",
        "Set14",
        "niqe",
        "↓",
    ]
    row = next(line for line in text.splitlines() if line.split()[:1] == ["gan"])
    assert row.count("±") == 3
    assert "Set_5 psnr has gan better than bicubic, niqe bicubic better than gan" in text


def test_one_data_set_is_not_named_in_every_column(several):
    found = Comparisons(several.each[:2])
    assert "| method | psnr ↑ | niqe ↓ |" in text_of(found, "md")
    assert "multicolumn" not in text_of(found, "latex")


def test_several_for_programs(several):
    rows = list(csv.DictReader(io.StringIO(text_of(several, "csv"))))
    assert len(rows) == 9
    places = {(row["data_set"], row["metric"], row["higher_is_better"]) for row in rows}
    assert places == {
        ("Set_5", "psnr", "True"),
        ("Set_5", "niqe", "False"),
        ("Set14", "niqe", "False"),
    }
    document = strict_json(text_of(several, "json"))
    assert [one["metric"] for one in document["comparisons"]] == ["psnr", "niqe", "niqe"]
    (agreement,) = document["agreement"]
    assert agreement["contradictions"] == [["gan", "bicubic"], ["dat", "bicubic"]]
    assert document["missing"][0]["reason"] == "psnr on Set14: there is no ground truth"


@pytest.mark.answers("Outputs", "one method alone, given to `sriqa-compare`", "its mean; no pairs")
@pytest.mark.parametrize("style", WRITERS)
def test_a_method_alone(style):
    found = Comparison.from_scores(["A"], np.array([[1.0, 2, 3]]), metric="m", weights="w")
    text = text_of(found, style)
    assert "2.0" in text
    assert not re.search(r"mathbf|\*\*|wins of a", text)
    if style == "csv":
        assert text.splitlines()[1] == ",m,True,A,,3,,,,,,2.0,,w"


class Terminal(io.StringIO):
    """A narrow one."""

    def isatty(self):
        return True


@pytest.mark.answers(
    "Outputs",
    "a table on a terminal that is narrower",
    "whole lines, which the terminal wraps; no hash, path or number is broken",
)
def test_a_narrow_terminal_breaks_nothing(several, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    for found in (several, Comparisons(several.each[:1])):
        write_comparisons(found, "table", stream := Terminal())
        plain = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
        assert plain.splitlines()[0].strip() == ""
        assert "scores of psnr, weights psnr weights; higher is better" in plain
        assert "…" not in plain
        written = text_of(found, "table").splitlines()
        assert [line.rstrip() for line in plain.splitlines()][: len(written)] == [
            line.rstrip() for line in written
        ]
