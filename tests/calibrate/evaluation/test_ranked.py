import shutil

import numpy as np
import pytest

from sriqa_metric.calibrate.evaluation.ranked import read_ranked
from sriqa_metric.errors import SriqaError


def values(statistics):
    return {s.figure: s.of(np.arange(len(s.clusters))) for s in statistics}


def test_figures_of_a_ranking(made_data):
    found = read_ranked(made_data / "sr")
    assert found.group == "all"
    assert [path.parent.name for path in found.paths[::6]] == ["sharp", "soft", "dull"]
    perfect = np.repeat([3.0, 2, 1], 6)
    assert set(values(found.statistics(perfect)).values()) == {1.0}
    one_wrong = perfect.copy()
    one_wrong[0] = 1.5  # the best method's first content: one image pair, no mean
    figures = values(found.statistics(one_wrong))
    assert figures["method pairs right"] == 1
    assert figures["image pairs right"] == pytest.approx(17 / 18)


def test_contents_can_be_chosen(made_data, tmp_path):
    chosen = tmp_path / "held-out.txt"
    chosen.write_text("c4\n\nc1\nc4\n")
    found = read_ranked(made_data / "sr", chosen)
    assert found.group == "held-out"
    assert [f"{path.parent.name}/{path.stem}" for path in found.paths] == [
        f"{method}/{content}" for method in ("sharp", "soft", "dull") for content in ("c4", "c1")
    ]
    assert len(found.statistics(np.zeros(6))[0].clusters) == 2


def test_chosen_contents_in_either_form_of_unicode(made_data, tmp_path):
    sr = shutil.copytree(made_data / "sr", tmp_path / "sr")
    for method in ("sharp", "soft", "dull"):
        (sr / method / "c0.png").rename(sr / method / "caf\u00e9.png")
    (tmp_path / "chosen.txt").write_text("cafe\u0301\n", encoding="utf-8-sig")
    assert len(read_ranked(sr, tmp_path / "chosen.txt").paths) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [("c1\nc9\n", "has no content c9"), ("\n", "names no content"), (None, "No such file")],
)
def test_wrong_contents(made_data, tmp_path, text, message):
    chosen = tmp_path / "chosen.txt"
    if text is not None:
        chosen.write_text(text)
    with pytest.raises(SriqaError, match=message):
        read_ranked(made_data / "sr", chosen)


def test_a_folder_without_a_ranking(tmp_path):
    with pytest.raises(SriqaError, match=r"ranking.csv: No such file"):
        read_ranked(tmp_path)
