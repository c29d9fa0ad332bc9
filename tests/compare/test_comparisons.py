import sys

import numpy as np
import pytest

from sriqa_metric.compare.comparison import Comparison, Failure
from sriqa_metric.compare.comparisons import Comparisons, Missing
from sriqa_metric.errors import SriqaError


@pytest.fixture
def comparisons(rng):
    def made(metric, data_set, up):
        return Comparison.from_scores(
            ["ours", "swinir"],
            rng.normal(size=(2, 7)) + np.array([[1.0], [0.0]]),
            metric=metric,
            weights="w",
            higher_is_better=up,
            data_set=data_set,
        )

    return Comparisons(
        tuple(made(m, d, m != "niqe") for d in ("Set5", "Set14") for m in ("sriqa_lite", "niqe"))
    )


def test_it_is_told_what_is_in_them(comparisons):
    assert comparisons.metrics == ("sriqa_lite", "niqe")
    assert comparisons.data_sets == ("Set5", "Set14")
    assert comparisons.methods == ("ours", "swinir")
    found = comparisons.of("niqe", "Set14")
    assert (found.metric, found.data_set, found.higher_is_better) == ("niqe", "Set14", False)
    assert comparisons.to_dict()["comparisons"][3] == found.to_dict()


def test_what_is_not_in_them_is_an_error(comparisons):
    with pytest.raises(SriqaError, match=r"no comparison by 'psnr' on 'Set5'.*sriqa_lite, niqe"):
        comparisons.of("psnr", "Set5")


def test_a_data_frame_has_a_row_for_each_score(comparisons):
    pytest.importorskip("pandas")
    frame = comparisons.to_pandas()
    assert list(frame.columns) == ["data_set", "metric", "method", "content", "score"]
    assert len(frame) == 2 * 2 * 2 * 7
    found = frame.groupby(["data_set", "metric", "method"]).score.mean()
    for one in comparisons.each:
        for method in one.methods:
            mean = found[one.data_set, one.metric, method.name]
            assert mean == pytest.approx(method.mean)


@pytest.mark.answers(
    "Outputs", "`Comparisons.to_pandas()` without pandas", "one error that says what to install"
)
def test_without_pandas_the_way_out_is_named(comparisons, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SriqaError, match=r"needs pandas: pip install .sriqa-metric\[pandas\]"):
        comparisons.to_pandas()


def test_failures_are_told_once():
    broken = Failure("x", "x.png", "x.png: is cut off")
    made = [
        Comparison.from_scores(["a"], np.ones((1, 1)), metric=m, weights="w", failed=(broken,))
        for m in "pq"
    ]
    other = Missing("r", "", "r: nothing", (broken, Failure("x", "x.png", "r has no score")))
    found = Comparisons(tuple(made), (other,))
    assert [failure.error for failure in found.failed] == [broken.error, "r has no score"]
