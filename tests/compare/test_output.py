"""The five formats."""

import csv
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from sriqa_metric.compare import Comparison, Comparisons
from sriqa_metric.compare.matching import Unmatched
from sriqa_metric.compare.output import WRITERS, write_comparisons
from sriqa_metric.errors import SriqaError
from sriqa_metric.names import csv_name


def text_of(found: Comparison | Comparisons, style: str, intervals: bool = False) -> str:
    stream = io.StringIO()
    several = found if isinstance(found, Comparisons) else Comparisons((found,))
    write_comparisons(several, style, stream, intervals)
    return stream.getvalue()


@pytest.fixture
def made(rng) -> Comparison:
    """bicubic < gan_x4 < dat_x4 on 30 contents."""
    scores = rng.normal(0, 0.1, (3, 30)) + np.array([[0.0], [2], [1]]) + rng.normal(size=30)
    return Comparison.from_scores(
        ["bicubic", "dat_x4", "gan_x4"],
        scores,
        metric="some_metric",
        weights="sha256:0123",
        unmatched=(Unmatched("extra", ("bicubic", "gan_x4")),),
    )


def strict_json(text: str):
    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def test_json(made):
    document = strict_json(text_of(made, "json"))
    assert (document["agreement"], document["missing"]) == ([], [])
    (found,) = document["comparisons"]
    assert (found["metric"], found["weights"]) == ("some_metric", "sha256:0123")
    assert found["higher_is_better"] is True
    assert [method["name"] for method in found["methods"]] == ["dat_x4", "gan_x4", "bicubic"]
    assert [method["rank"] for method in found["methods"]] == [1, 2, 3]
    for method in found["methods"]:
        assert set(method) == {"name", "mean", "ci_low", "ci_high", "n", "rank"}
        assert method["ci_low"] < method["mean"] < method["ci_high"]
    assert len(found["pairs"]) == 3
    for pair in found["pairs"]:
        keys = {"a", "b", "n", "wins_a", "win_rate", "p_value", "p_holm", "effect"}
        assert set(pair) == keys | {"needed", "winner", "verdict"}
        assert pair["win_rate"] == pair["wins_a"] / pair["n"]
    assert found["unmatched"] == [{"content": "extra", "lacking": ["bicubic", "gan_x4"]}]
    assert (found["failed"], found["notes"]) == ([], [])
    assert found["scores"]["gan_x4"]["29"] == made.scores[2, 29]
    assert list(found["scores"]) == ["bicubic", "dat_x4", "gan_x4"]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_json_has_no_nan_in_odd_cases(n):
    ramp = np.arange(n, dtype=float)
    rows = [ramp, ramp, ramp + 1, -ramp, np.zeros(n)]
    found = Comparison.from_scores(list("ABCDE"), np.array(rows), metric="m", weights="w")
    (document,) = strict_json(text_of(found, "json"))["comparisons"]
    assert document["pairs"][0]["p_value"] == 1
    for style in WRITERS:
        assert not re.search(r"\b(nan|inf)\b", text_of(found, style), re.IGNORECASE)


def test_csv(made):
    text = text_of(made, "csv")
    assert text.startswith(
        "data_set,metric,higher_is_better,a,b,n,wins_a,win_rate,p_value,p_holm,effect,"
        "mean_a,mean_b,weights\n"
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["a"], row["b"]) for row in rows] == [
        ("bicubic", "dat_x4"),
        ("bicubic", "gan_x4"),
        ("dat_x4", "gan_x4"),
    ]
    for row, pair in zip(rows, made.pairs, strict=True):
        assert float(row["p_holm"]) == pair.p_holm
        assert float(row["effect"]) == pair.effect
        assert (row["metric"], row["weights"]) == ("some_metric", "sha256:0123")
    assert float(rows[0]["mean_b"]) == made.methods[1].mean


def test_table(made):
    text = text_of(made, "table")
    lines = [line.split() for line in text.splitlines()]
    assert [line[1] for line in lines if line[:1] in (["1"], ["2"], ["3"])] == [
        "dat_x4",
        "gan_x4",
        "bicubic",
    ]
    assert "dat_x4 is better than bicubic on 30 of 30 images, p < 0.001" in text
    assert "some_metric, weights sha256:0123" in text
    assert "not people's" in text
    assert "left out: extra is not in bicubic, gan_x4" in text


def test_what_is_left_out_is_listed_shortly():
    many = tuple(Unmatched(f"c{k}", ("A",)) for k in range(25))
    found = Comparison.from_scores(["A", "B"], np.eye(2), metric="m", weights="w", unmatched=many)
    assert text_of(found, "table").count("left out: c") == 10
    assert "left out for reasons like these: 15 more" in text_of(found, "table")
    assert len(strict_json(text_of(found, "json"))["comparisons"][0]["unmatched"]) == 25


def test_markdown(made):
    lines = text_of(made, "md").splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in tables[:5]} == {6}
    assert {line.count("|") for line in tables[5:]} == {7}
    assert re.match(r"\| 1 \| dat_x4 \| \*\*2\.\d+\*\* \| 1\.\d+ to 2\.\d+ \| 30 \|$", tables[2])
    assert re.match(r"\| 2 \| gan_x4 \| <u>", tables[3])
    assert any(r"some_metric, weights sha256:0123" in line for line in lines)


def test_latex(made):
    lines = text_of(made, "latex").splitlines()
    assert lines[0].startswith("% scores of some_metric, weights sha256:0123;")
    assert "n = 30 images" in lines[1]
    assert "Wilcoxon" in lines[1]
    body = [line for line in lines if not line.startswith("%")]
    assert body[:4] == [
        r"\begin{tabular}{lc}",
        r"\toprule",
        r"Method & some\_metric $\uparrow$ \\",
        r"\midrule",
    ]
    assert re.fullmatch(r"dat\\_x4 & \$\\mathbf{2\.\d+}\$ \\\\", body[4])
    assert re.fullmatch(r"gan\\_x4 & \$\\underline{1\.\d+}\$ \\\\", body[5])
    assert re.fullmatch(r"bicubic & \$-?0\.\d+\$ \\\\", body[6])
    assert body[7:] == [r"\bottomrule", r"\end{tabular}"]
    text = text_of(made, "latex", intervals=True)
    assert re.search(r"dat\\_x4 & \$\\mathbf{2\.\d+} \\pm 0\.\d+\$ \\\\", text)


def marked(*means: float, noise=(0.001, -0.001) * 10) -> str:
    """The LaTeX table of methods A, B, … whose scores differ from the means by shifted noise."""
    rows = [[mean + each for each in (noise[k:] + noise[:k])] for k, mean in enumerate(means)]
    names = "ABCDE"[: len(means)]
    return text_of(Comparison.from_scores(names, np.array(rows), metric="m", weights="w"), "latex")


def test_what_the_test_tells_apart_is_marked():
    text = marked(3, 2, 1)
    assert re.search(r"A & \$\\mathbf", text)
    assert re.search(r"B & \$\\underline", text)
    assert "% bold: the best mean and all that the test" in text


@pytest.mark.answers(
    "Outputs",
    "methods that the test cannot tell apart, in a LaTeX or Markdown table",
    "marked alike; no mark where nothing stands below",
)
def test_what_cannot_be_told_apart_is_marked_alike():
    text = marked(3, 3, 2, 2, 1)
    assert text.count(r"\mathbf") == 2
    assert text.count(r"\underline") == 2
    text = marked(3, 3, 1)
    assert text.count(r"\mathbf") == 2
    assert r"\underline" not in text
    assert r"\mathbf" not in marked(3, 3)
    assert marked(3, 2).count(r"\mathbf") == 1


def test_three_images_mark_nothing():
    rows = [[1.0, 2, 3], [3.0, 4, 5], [0.0, 1, 2]]
    found = Comparison.from_scores(list("ABC"), np.array(rows), metric="m", weights="w")
    assert not re.search(r"\\(mathbf|underline)", text_of(found, "latex"))


@pytest.mark.answers(
    "Names and lists",
    r"a method's name with backslashes, braces or any of `~^%&#_$`, in LaTeX",
    "printed as it is, not obeyed",
)
def test_hostile_names_in_latex(hostile):
    lines = text_of(hostile, "latex").splitlines()
    body = [line for line in lines if not line.startswith("%")]
    assert len(body) == 6 + len(hostile.methods)
    assert sum("\\end{" in line for line in body) == 1
    assert not any("\\input" in line for line in body)
    assert any(
        line.startswith(
            r"a\_b\%c\$d\#e\&f\{g\}h\textasciitilde{}i\textasciicircum{}"
            r"j\textbackslash{}k\textbar{}l & $"
        )
        for line in body
    )


def test_hostile_names_in_markdown(hostile):
    lines = text_of(hostile, "md").splitlines()
    rows = [line for line in lines if re.match(r"\| \d", line)]
    assert len(rows) == 4
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert not re.search(r"(?<!\\)<script", "\n".join(lines))


def test_hostile_names_everywhere_else(hostile):
    assert strict_json(text_of(hostile, "json"))["comparisons"][0]["metric"] == hostile.metric
    rows = list(csv.reader(io.StringIO(text_of(hostile, "csv"), newline="")))
    assert {len(row) for row in rows} == {14}
    assert hostile.methods[0].name in text_of(hostile, "table")


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no TeX here")
@pytest.mark.parametrize("name", ["made", "hostile", "nasty"])
def test_latex_compiles(name, request, tmp_path):
    source = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}"
    source += r"\begin{document}" + "\n" + text_of(request.getfixturevalue(name), "latex")
    source += r"\end{document}"
    (tmp_path / "t.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)


def test_an_unknown_format_is_named(made):
    with pytest.raises(SriqaError, match=r"'xml'; it must be one of table, csv, json, md, latex"):
        text_of(made, "xml")


NASTY = ("[1pt] *a*", "* b", "=1+1", "e\x1b[31m\a\r\n", "caf\udce9")


@pytest.fixture
def nasty(rng) -> Comparison:
    """Methods of names that a terminal, LaTeX or a spreadsheet would obey."""
    scores = rng.normal(size=(len(NASTY), 8))
    return Comparison.from_scores(NASTY, scores, metric="m", weights="w", notes=("\x1b]0;x\a",))


@pytest.mark.answers(
    "Names and lists",
    "control characters in a method's name, in tables, Markdown and LaTeX",
    r"shown as `\x1b`; a line break is a blank in Markdown and LaTeX",
)
@pytest.mark.parametrize("style", ["table", "md", "latex"])
def test_nothing_but_lines_of_print_is_written(nasty, style):
    text = text_of(nasty, style)
    text.encode()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert "x1b" in text


@pytest.mark.answers(
    "Names and lists", "a method's name that begins with `[` or `*`, in LaTeX", "no option of a row"
)
def test_no_name_is_an_option_of_the_row_before(nasty):
    lines = text_of(nasty, "latex").splitlines()
    assert any(line.startswith("{[}1pt{]} {*}a{*} & $") for line in lines)
    assert any(line.startswith("{*} b & $") for line in lines)
    assert not any(re.match(r"[\[*]", line) for line in lines)


@pytest.mark.answers(
    "Names and lists", "odd names of methods, in CSV", "quoted; a formula gets an apostrophe"
)
def test_csv_holds_no_formula_and_is_read_back(nasty):
    text = text_of(nasty, "csv")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert not any(value[:1] in "=+@\t\r" for row in rows for value in row.values() if value)
    assert [csv_name(row["b"]) for row in rows[:4]] == list(NASTY[1:])


@pytest.mark.answers("Names and lists", "any name, in JSON and JSON lines", "exact")
def test_json_is_exact(nasty):
    (document,) = strict_json(text_of(nasty, "json"))["comparisons"]
    assert {method["name"] for method in document["methods"]} == set(NASTY)
