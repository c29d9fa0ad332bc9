"""2AFC on pairs: the published votes, and sets in the layouts of owners."""

import numpy as np
import pytest

from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.evaluation.pair_sets import read_pairs, read_realsr1k
from sriqa_metric.calibrate.ranking.oracle import oracle_2afc
from sriqa_metric.calibrate.statistics import estimate
from sriqa_metric.errors import SriqaError

HEAD = "sr_pair_names,group,name1_column,name2_column,score1_column,score2_column\n"


def values(statistics):
    return {s.group: s.of(np.arange(len(s.clusters))) for s in statistics}


@pytest.fixture
def made(tmp_path):
    def write(text, name="votes.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path

    return write


def test_published_votes(real_data):
    found = read_realsr1k(real_data / "realsr1k")
    references = {name: values(statistics) for name, statistics in found.references()}
    votes = read_votes(real_data / "realsr1k" / "votes.csv")
    human = oracle_2afc(votes)[0]
    assert references["human majority"]["all"] == pytest.approx(human)
    assert human == pytest.approx(0.75889, abs=5e-6)
    assert references["human majority"]["mad"] == pytest.approx(0.78524, abs=5e-6)
    assert references["human majority"]["mid"] == pytest.approx(0.73254, abs=5e-6)
    assert references["better ranked method"]["all"] == pytest.approx(0.69578, abs=5e-6)
    assert set(references["chance"].values()) == {0.5}
    assert [len(s.clusters) for s in found.statistics(np.zeros(len(found.paths)))] == [
        528,
        528,
        1056,
    ]
    assert len(np.unique(found.contents)) == 570


def test_metrics_are_bounded_by_the_majority(real_data, rng):
    found = read_realsr1k(real_data / "realsr1k")
    best = values(next(found.references())[1])
    for _ in range(5):
        scores = rng.normal(0, 1, len(found.paths))
        right = values(found.statistics(scores))
        wrong = values(found.statistics(-scores))
        assert all(right[group] < best[group] for group in best)
        assert all(right[g] + wrong[g] == pytest.approx(1) for g in best)
    assert set(values(found.statistics(np.zeros(len(found.paths)))).values()) == {0.5}
    interval = estimate(found.statistics(scores)[2], 200)
    assert interval.low < interval.value < interval.high


def test_images_lie_by_group_and_pair(made):
    root = made(
        f"{HEAD}A_B,mad,x_1_A.png,x_1_B.png,1,0\nA_B,mid,y_A.png,y_B.png,0,1\n"
        "A_B,mid,z_A.png,z_B.png,1,0\n"
    )
    found = read_realsr1k(root)
    images = root / "RealSR-1K"
    assert found.paths[found.first[0]] == images / "MAD_images" / "A_B" / "x_1_A.png"
    assert found.paths[found.second[2]] == images / "MID_images" / "A_B" / "z_B.png"
    scores = np.zeros(6)
    scores[[found.first[0], found.second[1]]] = 1
    assert values(found.statistics(scores)) == {"mad": 1, "mid": 0.75, "all": (1 + 1 + 0.5) / 3}
    assert values(dict(found.references())["better ranked method"])["all"] == pytest.approx(2 / 3)


def test_without_a_ranking_its_row_is_left_out_and_told(made):
    found = read_realsr1k(made(f"{HEAD}A_B,mad,x_A.png,x_B.png,1,0\n"))
    assert [name for name, _ in found.references()] == ["human majority", "chance"]
    assert "no row for the better ranked method: A won every vote" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("votes.csv", f"{HEAD}A_B,mad,x_A.png,x_B.png,1,1\n", "line 2: .* do not sum to one"),
        (
            "votes.csv",
            "observer,content,method_a,method_b,choice\no,c,A,B,a\n",
            "one line per vote",
        ),
        ("other.csv", "", r"none of the label files of realsr1k; looked for votes.csv; images are"),
    ],
)
def test_broken_realsr1k(made, name, text, message):
    with pytest.raises(SriqaError, match=message):
        read_realsr1k(made(text, name))


def test_pairs_of_any_images(made):
    root = made(
        "image_a,image_b,fraction,content,group\na/1.png,b/1.png,0.9,1,new\n"
        "b/2.png,a/2.png,0.2,2,old\na/1.png,a/2.png,0.5,1,old\n",
        "pairs.csv",
    )
    found = read_pairs(root)
    assert [str(path.relative_to(root)) for path in found.paths] == [
        "a/1.png",
        "b/2.png",
        "b/1.png",
        "a/2.png",
    ]
    scores = np.array([1.0, 2, 0, 3])
    assert values(found.statistics(scores)) == pytest.approx(
        {"new": 0.9, "old": (0.8 + 0.5) / 2, "all": (0.9 + 0.8 + 0.5) / 3}
    )
    assert found.contents.tolist() == ["1", "2", "1"]
    assert [name for name, _ in found.references()] == ["chance"]
    assert found.notes == ("no row for the human majority: not every pair has its number of votes",)


@pytest.mark.answers(
    "Study and votes",
    "an evaluation on pairs of one vote each",
    "no row for the human majority, and a note: it needs two votes a pair",
)
def test_people_are_judged_by_the_others(made):
    head = "image_a,image_b,fraction,votes\n"
    found = read_pairs(made(f"{head}a,b,0.75,4\na,c,0.5,2\nb,c,0.5,1\n", "pairs.csv"))
    assert [name for name, _ in found.references()] == ["chance"]
    note = "no row for the human majority: it needs two votes a pair; pairs that have one: 1 of 3"
    assert found.notes == (note,)
    found = read_pairs(made(f"{head}a,b,0.75,4\na,c,0.5,2\nb,c,1,3\n", "pairs.csv"))
    assert values(dict(found.references())["human majority"])["all"] == pytest.approx(
        (0.75 + 0 + 1) / 3
    )
    assert found.notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_a,image_b,fraction,votes\na,b,0.4,2\n", "votes is 2; 0.4 is no fraction of it"),
        ("image_a,image_b,fraction,votes\na,b,0.5,1.5\n", r"line 2: votes is 1\.5"),
        ("image_a,image_b,fraction,votes\na,b,0.5,-2\n", "line 2: votes is -2"),
        ("image_a,image_b\n", "no column fraction; expected image_a,image_b,fraction"),
        ("image_a,image_b,fraction\n", "no pairs, only a header"),
        ("image_a,image_b,fraction\na,b,1.5\n", "line 2: fraction is 1.5, not from 0 to 1"),
        ("image_a,image_b,fraction\na,b,most\n", "line 2: fraction is 'most', not a number"),
        ("image_a,image_b,fraction\na,,1\n", "line 2: image_b is missing"),
    ],
)
def test_broken_pairs(made, text, message):
    with pytest.raises(SriqaError, match=message):
        read_pairs(made(text, "pairs.csv"))
