import numpy as np
import pytest

from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.data.votes import KINDS, image_pairs
from sriqa_metric.errors import SriqaError

TIDY = "observer,content,method_a,method_b,choice"
REALSR1K = "sr_pair_names,group,name1_column,name2_column,score1_column,score2_column"


@pytest.fixture
def written(tmp_path):
    def write(*lines, encoding="utf-8"):
        path = tmp_path / "votes.csv"
        path.write_text("\n".join([*lines, ""]), encoding=encoding)
        return path

    return write


def test_published_votes(real_data):
    votes = read_votes(real_data / "realsr1k" / "votes.csv")
    assert len(votes.methods) == 12
    assert votes.groups == ("mad", "mid")
    assert np.bincount(votes.group).tolist() == [528, 528]
    assert votes.total.sum() == 1056 * 23
    assert votes.observers == ()
    assert (votes.wins == votes.wins.round()).all()
    pairs = image_pairs(votes)
    assert len(pairs.total) == 1056
    assert (np.bincount(pairs.position) == 66).all()
    mad = votes.content[votes.group == 0]
    assert votes.contents[np.bincount(mad).argmax()] == "01450"
    assert np.bincount(mad).max() == 65


def test_names_with_underscores(written):
    path = written(
        REALSR1K, "A_b_C,mad,x_1_A_b.png,x_1_C.png,0.5,0.5", "C_D,mid,y_C.png,y_D.png,1,0"
    )
    votes = read_votes(path)
    assert votes.methods == ("A_b", "C", "D")
    assert [votes.contents[k] for k in votes.content] == ["x_1", "y"]
    assert votes.wins.tolist() == [11.5, 23]
    assert votes.total.tolist() == [23, 23]


def test_tidy_votes(written):
    votes = read_votes(
        written(
            "session,observer,content,method_a,method_b,choice,side_shown,group",
            "1,ann,c2,B,A,a,left,mad",
            "",
            "1,ann,c1,A,B,b,left,mid",
            "2,bob,c1,A,C,tie,right,",
            encoding="utf-8-sig",
        )
    )
    assert votes.methods == ("A", "B", "C")
    assert votes.observers == ("ann", "bob")
    assert votes.contents == ("c1", "c2")
    assert votes.groups == ("", "mad", "mid")
    assert votes.first.tolist() == [1, 0, 0]
    assert votes.second.tolist() == [0, 1, 2]
    assert votes.wins.tolist() == [1, 0, 0.5]
    assert votes.total.tolist() == [1, 1, 1]
    assert votes.content.tolist() == [1, 0, 0]
    assert votes.group.tolist() == [1, 2, 0]
    assert votes.observer.tolist() == [0, 0, 1]


def test_methods_without_a_trial_are_not_to_be_ranked(written):
    votes = read_votes(
        written(
            f"{TIDY},kind,expected",
            "ann,c1,A~degraded,A,b,training,",
            "ann,c1,A,B,a,,",
            "ann,c1,C,B,a,trial,",
            "ann,c1,A,B,a,repeat,a",
            "ann,c1,A,A~degraded,b,obvious,a",
        )
    )
    assert votes.methods == ("A", "B", "C")
    assert votes.other_methods == ("A~degraded",)
    assert [KINDS[k] for k in votes.kind] == ["training", "trial", "trial", "repeat", "obvious"]
    assert votes.first.tolist() == [3, 0, 2, 0, 0]
    assert votes.of_kind("trial").wins.tolist() == [1, 1]
    assert votes.of_kind("obvious").expected.tolist() == [1]
    assert np.isnan(votes.of_kind("repeat").expected).all()


def test_the_two_schemas_agree(written, tmp_path):
    tidy = read_votes(written(TIDY, *(f"o{k},c,A,B,{'a' if k < 9 else 'b'}" for k in range(23))))
    path = tmp_path / "fractions.csv"
    path.write_text(f"{REALSR1K}\nA_B,mad,c_A.png,c_B.png,{9 / 23},{14 / 23}\n")
    for pairs in (image_pairs(tidy), image_pairs(read_votes(path))):
        assert pairs.wins.tolist() == [9]
        assert pairs.total.tolist() == [23]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no column observer, content"),
        (["a,b"], "no column observer, .*; expected either observer,"),
        ([TIDY], "only a header"),
        ([f"{TIDY},choice", "o,c,A,B,a,a"], "the column 'choice' occurs twice"),
        ([TIDY, "o,c,A,B,a", "o,c,A,B"], "line 3: 4 fields, but the header has 5: 'o,c,A,B'"),
        ([TIDY, "", "o,c,A,B,left"], "line 3: choice is 'left'; it must be a, b or tie"),
        ([TIDY, '"o\n",c,A,B,a', "o,c,A,B,"], "line 4: choice is ''"),
        ([TIDY, "o,c,A,B,a", "o,c,B,B,a"], "line 3: both methods are 'B'"),
        ([TIDY, "o,c,A,,a"], "line 2: method_b is empty"),
        ([TIDY, ",c,A,B,a"], "line 2: observer is empty"),
        ([f"{TIDY},kind", "o,c,A,B,a,test"], "line 2: kind is 'test'; it must be one of trial"),
        ([f"{TIDY},kind", "o,c,A,B,a,training"], "no row is a trial, only training"),
        ([f"{TIDY},kind", "o,c,A,B,a,obvious"], "line 2: an obvious row needs its right answer"),
        ([f"{TIDY},kind,expected", "o,c,A,B,a,obvious,tie"], "line 2: expected is 'tie'"),
        ([REALSR1K, "A_B,mad,c_A.png,c_B.png,x,1"], "line 2: score1_column is 'x'"),
        ([REALSR1K, "A_B,mad,c_A.png,c_B.png,0,1.5"], "line 2: score2_column is '1.5'"),
        ([REALSR1K, "A_B,mad,c_A.png,c_B.png,nan,1"], "line 2: score1_column is 'nan'"),
        ([REALSR1K, "A_B,mad,c_A.png,c_B.png,0,0.5"], "'0' and score2_column '0.5' do not sum"),
        ([REALSR1K, "A_B,mad,c_A.png,c_B.png,0.3,0.7"], "'0.3' is no fraction of 23 votes"),
        ([REALSR1K, "A_B,mad,c_A.png,d_B.png,1,0"], "line 2: sr_pair_names 'A_B' .* one content"),
        ([REALSR1K, "A_A,mad,c_A.png,c_A.png,1,0"], "do not name two methods"),
        ([REALSR1K, "A_B,,c_A.png,c_B.png,1,0"], "line 2: group is empty"),
        ([REALSR1K.replace("group,", ""), "A_B,c_A.png,c_B.png,1,0"], "no column group"),
    ],
)
def test_errors_quote_line_and_value(written, lines, message):
    path = written(*lines)
    with pytest.raises(SriqaError, match=message) as error:
        read_votes(path)
    assert str(path) in str(error.value)


def test_line_numbers_beyond_the_first_chunk(written):
    path = written(TIDY, *["o,c,A,B,a"] * 1999, "o,c,A,B,?")
    with pytest.raises(SriqaError, match=r"line 2001: choice is '\?'"):
        read_votes(path)


def test_files_that_are_no_votes(tmp_path):
    with pytest.raises(SriqaError, match="No such file"):
        read_votes(tmp_path / "none.csv")
    (tmp_path / "votes.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(SriqaError, match="line 1: byte 0x89 is no UTF-8; save the file as UTF-8"):
        read_votes(tmp_path / "votes.png")


def test_other_numbers_of_votes_per_pair(written):
    path = written(REALSR1K, "A_B,mad,c_A.png,c_B.png,0.35,0.65")
    assert read_votes(path, votes_per_pair=10).wins.tolist() == [3.5]
    with pytest.raises(SriqaError, match="votes per pair is 0"):
        read_votes(path, votes_per_pair=0)
