"""Names and files of the command line."""

import pytest

from sriqa_metric.errors import SriqaError
from sriqa_metric.scorers.make import read_tables, split_names


def test_names_are_split_at_commas():
    assert split_names(["a, b,", "b", "c,,a"]) == ["a", "b", "c"]


def test_one_metric_comes_once(tmp_path):
    for name in ("s", "t"):
        (tmp_path / f"{name}.csv").write_text("path,score,metric\na,1,x\n")
    s, t = tmp_path / "s.csv", tmp_path / "t.csv"
    assert [table.name for table in read_tables([s], ["y"])] == ["x"]
    with pytest.raises(SriqaError, match=r"s.csv: has scores of x, which --metric names too"):
        read_tables([s], ["x"])
    with pytest.raises(SriqaError, match=r"t.csv: has scores of x, which .*s.csv has too"):
        read_tables([s, t])
