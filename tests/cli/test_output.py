"""Scores as they are written: the last line sums them up, and nothing breaks a hash."""

import io
import json
import math
import statistics

import pytest

from sriqa_metric.cli.output import WRITERS, JsonWriter, Summary, TableWriter, summary_of
from tests.cli.running import CHELSEA, COFFEE, SMALL, run

ID = "sha256:0123456789ab"
T_2 = 4.302652729696142  # 97.5 % quantile of Student's t with two degrees of freedom


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.answers(
    "Outputs",
    "two or more images scored by `sriqa-score`",
    "a last line `mean 3.21 ± 0.14 (95 % t interval), n = 24`: in the table, on stderr beside "
    "`csv` and `jsonl`, and as fields of `json`",
)
def test_several_scores_are_summed_up(capsys):
    paths = [COFFEE, CHELSEA, SMALL]
    document = json.loads(run("--format", "json", "missing.png", *paths).stdout)
    scores = [entry["score"] for entry in document["results"]]
    mean, half = statistics.mean(scores), T_2 * statistics.stdev(scores) / math.sqrt(3)
    assert document["n"] == 3  # of those that have a score
    assert document["mean"] == pytest.approx(mean, abs=1e-5)
    assert document["ci_low"] == pytest.approx(mean - half, abs=1e-5)
    assert document["ci_high"] == pytest.approx(mean + half, abs=1e-5)
    line = f"mean {mean:.1f} ± {half:.1f} (95 % t interval), n = 3"
    assert run(*paths).stdout.splitlines()[-1] == line
    for form in ("csv", "jsonl"):
        found = run("--format", form, *paths)
        assert found.stderr == f"note: {line}\n"
        assert "±" not in found.stdout


@pytest.mark.answers(
    "Outputs", "a single image scored, or none", "no interval: null in `json`, no line elsewhere"
)
@pytest.mark.parametrize(
    ("scores", "fields"),
    [
        ([], {"n": 0, "mean": None, "ci_low": None, "ci_high": None}),
        ([2.5], {"n": 1, "mean": 2.5, "ci_low": None, "ci_high": None}),
    ],
)
def test_one_score_has_no_interval(scores, fields, capsys):
    stream = io.StringIO()
    JsonWriter(stream, "m", ID).close(summary_of(scores))
    document = json.loads(stream.getvalue())
    assert {name: document[name] for name in fields} == fields
    for form in ("table", "csv", "jsonl"):
        stream = io.StringIO()
        WRITERS[form](stream, "m", ID).close(summary_of(scores))
        assert "mean" not in stream.getvalue()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("half", "figures"),
    [
        (0.1414, "3.21 ± 0.14"),
        (0.00314, "3.2146 ± 0.0031"),
        (14.14, "3.2 ± 14.1"),
        (1e-9, "3.214567 ± 0.000000"),
        (0.0, "3.215 ± 0.000"),
    ],
)
def test_a_mean_has_the_digits_that_its_interval_leaves(half, figures):
    assert Summary(24, 3.214567, half).line == f"mean {figures} (95 % t interval), n = 24"


@pytest.mark.parametrize("columns", [20, 40, 60, 80])
def test_a_narrow_terminal_breaks_no_hash(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    writer = TableWriter(stream, "sriqa_hyperiqa", ID)
    writer.scored("a.png", 1.0)
    writer.close(Summary(2, 1.0, 0.5))
    lines = stream.getvalue().splitlines()[5:]  # below the table
    assert ID in stream.getvalue()
    assert max(map(len, lines)) <= columns
    footer = " ".join(lines)
    assert footer == (
        f"sriqa_hyperiqa, weights {ID}; higher is better mean 1.00 ± 0.50 (95 % t interval), n = 2"
    )
