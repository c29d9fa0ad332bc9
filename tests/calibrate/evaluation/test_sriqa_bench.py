"""SRIQA-Bench in its three forms, whose directions differ."""

import shutil

import numpy as np
import pytest
from scipy.stats import spearmanr

from sriqa_metric.calibrate.evaluation.sriqa_bench import content_statistics, read_sriqa_bench
from sriqa_metric.errors import SriqaError

MOS = {
    "a_1": {"SwinIRx4": 0.0, "RealESRNetx4": 10.0, "SUPIRx4": 75.0, "Original": 100.0},
    "b": {"SwinIRx4": 20.0, "RealESRNetx4": 0.0, "SUPIRx4": 100.0, "Original": 60.0},
}


def written(root, kind):
    labels = [(c, f"{c}_{m}.png", mos) for c, row in MOS.items() for m, mos in row.items()]
    if kind == "MOS":
        (root / "MOS").mkdir()
        for content in MOS:
            lines = [f"{name},{mos}" for c, name, mos in labels if c == content]
            (root / "MOS" / f"{content}.csv").write_text("\n".join(["name,mos", *lines, ""]))
    elif kind == "afine":
        lines = [f"{name},{c}_Original.png,{100 - mos}" for c, name, mos in labels]
        (root / "sriqa_bench.afine.txt").write_text("\n".join([*lines, ""]))
    else:
        lines = [f"{c}_Original.png {name} {mos}" for c, name, mos in labels]
        (root / "sriqa_bench.vqr1.txt").write_text("\n".join([*lines, ""]))
    return root


def values(statistics):
    return {(s.group, s.figure): s.of(np.arange(len(s.clusters))) for s in statistics}


@pytest.mark.parametrize("kind", ["MOS", "afine", "vqr1"])
def test_all_forms_are_the_same_benchmark(kind, tmp_path):
    found = read_sriqa_bench(written(tmp_path, kind))
    assert found.mos.tolist() == [0, 10, 75, 100, 20, 0, 100, 60]
    assert found.contents.tolist() == ["a_1"] * 4 + ["b"] * 4
    assert found.methods.tolist() == ["SwinIR", "RealESRNet", "SUPIR", "Original"] * 2
    assert found.paths[0] == tmp_path / "SwinIRx4" / "a_1_SwinIRx4.png"
    # right for the one, and with both regression-based methods in the wrong order for the other
    figures = values(found.statistics(np.array([1.0, 2, 3, 4, 1, 2, 4, 3])))
    assert figures["regression", "pairs right"] == 0.5
    assert figures["regression", "SRCC per content"] == 0
    assert figures["all", "pairs right"] == 5 / 6
    assert figures["all", "SRCC per content"] == pytest.approx((1 + 0.5) / 2)
    assert figures["with original", "pairs right"] == 11 / 12
    assert "SwinIR, RealESRNet" in found.notes[0]


def test_the_published_list(real_data, tmp_path, rng):
    shutil.copy(real_data / "labels" / "sriqa_bench.afine.txt", tmp_path)
    found = read_sriqa_bench(tmp_path)
    assert len(found.mos) == 1100
    assert len(set(found.contents)) == 100
    means = {m: found.mos[found.methods == m].mean() for m in set(found.methods)}
    assert sorted(means, key=means.__getitem__)[:2] == ["RealESRNet", "SwinIR"]
    assert max(means, key=means.__getitem__) == "Original"
    figures = found.statistics(found.mos + rng.normal(0, 20, 1100))
    n = {(s.group, s.figure): len(s.clusters) for s in figures}
    assert n["all", "SRCC per content"] == 100
    assert n["all", "SRCC"] == 1000
    assert n["regression", "SRCC"] == 200
    assert n["generation", "SRCC"] == 800
    assert n["with original", "SRCC"] == 1100
    assert n["all", "pairs right"] <= 100 * 45
    assert list(values(found.statistics(found.mos)).values()) == pytest.approx([1] * 12)


def test_the_two_published_lists_agree(real_data, tmp_path):
    for name in ("afine.txt", "vqr1.head.txt"):
        (tmp_path / name).mkdir()
        shutil.copy(real_data / "labels" / f"sriqa_bench.{name}", tmp_path / name)
    whole, head = (
        {path.name: mos for path, mos in zip(found.paths, found.mos, strict=True)}
        for found in map(read_sriqa_bench, (tmp_path / "afine.txt", tmp_path / "vqr1.head.txt"))
    )
    assert len(head) == 30
    assert [whole[name] for name in head] == pytest.approx(list(head.values()))


def test_content_figures_are_scipys(rng):
    contents = np.repeat(np.arange(7), 5)
    scores, mos = rng.normal(0, 1, (2, 35))
    mean, whole, pairs = content_statistics("all", scores, mos, contents)
    each = [spearmanr(scores[contents == c], mos[contents == c]).statistic for c in range(7)]
    assert mean.of(np.arange(7)) == pytest.approx(np.mean(each))
    assert whole.of(np.arange(35)) == pytest.approx(spearmanr(scores, mos).statistic)
    same = [
        (scores[i] - scores[j]) * (mos[i] - mos[j]) > 0
        for i in range(35)
        for j in range(i)
        if contents[i] == contents[j]
    ]
    assert pairs.of(np.arange(70)) == pytest.approx(np.mean(same))


def test_equal_scores_and_equal_mos():
    contents = np.repeat([0, 1, 2], 2)
    scores, mos = np.array([1.0, 1, 1, 2, 3, 4]), np.array([1.0, 2, 5, 5, 1, 2])
    mean, _, pairs = content_statistics("all", scores, mos, contents)
    assert len(mean.clusters) == len(pairs.clusters) == 2
    assert mean.of(np.arange(2)) == (0 + 1) / 2
    assert pairs.of(np.arange(2)) == (0.5 + 1) / 2


def test_groups_can_be_given(tmp_path):
    root = written(tmp_path, "MOS")
    (root / "groups.csv").write_text("method,group\nSUPIRx4,diffusion\nSwinIR,diffusion\n")
    found = read_sriqa_bench(root)
    groups = {s.group for s in found.statistics(found.mos)}
    assert groups == {"diffusion", "all", "with original"}
    (root / "groups.csv").write_text("method,group\nDiffBIR,diffusion\n")
    with pytest.raises(SriqaError, match="no labels of the method 'DiffBIR'"):
        read_sriqa_bench(root)


@pytest.mark.parametrize("place", ["images", "TestImages", "TestImages/SUPIRx4", "."])
def test_images_are_found_where_people_have_them(place, tmp_path):
    root = written(tmp_path, "vqr1")
    (root / place).mkdir(parents=True, exist_ok=True)
    (root / place / "b_SUPIRx4.png").touch()
    paths = read_sriqa_bench(root).paths
    assert root / place / "b_SUPIRx4.png" in paths


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.txt", "", r"no labels of sriqa-bench; looked for MOS/\*.csv, sriqa_bench.afine"),
        ("sriqa_bench.afine.txt", "a_B.png,1\n", "line 1: 'a_B.png,1' is not two names and a scor"),
        ("sriqa_bench.vqr1.txt", "a b_C.png high\n", "line 1: score is 'high', not a number"),
        ("sriqa_bench.vqr1.txt", "a b_C.png 1\na b_C.png 2\n", "'b_C.png' is named twice"),
        ("sriqa_bench.vqr1.txt", "a b.png 1\n", "'b.png', which is not <content>_<method>.png"),
    ],
)
def test_broken_labels(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(SriqaError, match=message):
        read_sriqa_bench(tmp_path)


def test_labels_of_two_kinds_are_not_mixed(tmp_path):
    written(tmp_path, "MOS")
    written(tmp_path, "afine")
    with pytest.raises(SriqaError, match=r"several kinds \(MOS/a_1.csv, sriqa_bench.afine.txt\)"):
        read_sriqa_bench(tmp_path)
