"""What an output holds: rows once, of one metric and its weights."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriqa_metric.errors import SriqaError
from sriqa_metric.scale.output import SCHEMA, Output, among, digests


def rows(*names: str):
    scores = [float(place) for place, _ in enumerate(names)]
    return pa.table({"path": list(names), "score": scores, "width": [3] * len(names)})


@given(st.sets(st.text(alphabet=st.characters(exclude_categories=["Cs"]))), st.text("ab"))
def test_what_is_among_the_digests(names, other):
    ordered = np.unique(digests(names))
    assert among(digests(names), ordered).all()
    assert among(digests([other]), ordered)[0] == (other in names)


def test_rows_are_there_for_the_next(tmp_path):
    place = str(tmp_path / "new" / "out")
    with Output(place, "m", "w") as output:
        assert len(output.done()) == 0
        output.add(rows("a", "b"))
        output.add(pa.table({"path": ["c"], "error": ["c: bad"]}))
        output.flush()
        output.flush()  # nothing waits
    table = pq.read_table(place)
    assert table.schema == SCHEMA
    assert table.column("path").to_pylist() == ["a", "b", "c"]
    assert table.column("error").to_pylist() == [None, None, "c: bad"]
    assert set(table.column("metric").to_pylist()) == {"m"}
    with Output(place, "m", "w") as output:
        assert among(digests(["a", "c", "d"]), output.done()).tolist() == [True, True, False]


@pytest.mark.answers(
    "Data sets on Ray", "two drivers with one output on a file system", "error of the second"
)
def test_one_process_at_a_time(tmp_path):
    with (
        Output(str(tmp_path), "m", "w"),
        pytest.raises(SriqaError, match="another process is writing there"),
        Output(str(tmp_path), "m", "w"),
    ):
        pass


def test_what_is_half_written_is_swept_away(tmp_path):
    (tmp_path / ".part-1.parquet.0.partial").write_bytes(b"PAR1")
    with Output(str(tmp_path), "m", "w") as output:
        assert len(output.done()) == 0
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("other", [("other", "w"), ("m", "other")])
def test_scores_of_something_else_are_refused(other, tmp_path):
    with Output(str(tmp_path), *other) as output:
        output.add(rows("a"))
        output.flush()
    with (
        Output(str(tmp_path), "m", "w") as output,
        pytest.raises(SriqaError, match=r"holds scores of .*, not of m, weights w; give"),
    ):
        output.done()


def test_what_is_no_scores_is_refused(tmp_path):
    (tmp_path / "picture.png").touch()
    with (
        Output(str(tmp_path), "m", "w") as output,
        pytest.raises(SriqaError, match=r"picture\.png, which is no scores"),
    ):
        output.done()
    (tmp_path / "picture.png").rename(tmp_path / "part-1.parquet")
    with (
        Output(str(tmp_path), "m", "w") as output,
        pytest.raises(SriqaError, match=r"part-1\.parquet: cannot be read .*; delete it"),
    ):
        output.done()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "part-1.parquet")
    with (
        Output(str(tmp_path), "m", "w") as output,
        pytest.raises(SriqaError, match=r"part-1\.parquet: is no part of scores"),
    ):
        output.done()
