import numpy as np
import pytest

from sriqa_metric.compare.comparison import Comparison
from sriqa_metric.compare.comparisons import Comparisons
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
