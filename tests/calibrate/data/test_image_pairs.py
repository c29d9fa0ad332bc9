from pathlib import Path

import pytest

from sriqa_metric.calibrate.data.image_pairs import Pair, read_pairs, write_pairs
from sriqa_metric.errors import SriqaError

HEADER = "pair,content,method_a,method_b,image_a,image_b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column pair, content"),
        ("pair,content,method_a,method_b,image_a\n", "no column image_b"),
        (f"{HEADER}\n", "no pairs"),
        (f"{HEADER}\np,c,A,B,a.png,\n", "line 2: image_b is missing"),
        (f"{HEADER}\np,c,A\n", "line 2: method_b is missing"),
        (f"{HEADER}\np,c,A,A,a.png,b.png\n", "line 2: 'A' is compared with itself"),
        (f"{HEADER}\np,c,A,B,a.png,a.png\n", r"both images are 'a\.png'"),
        (f"{HEADER}\np,c,A,B,a,b\np,c,A,B,x,y\n", "line 3: pair 'p' is also line 2"),
        (f"{HEADER}\np,c,A,B,a,b\nq,c,B,A,b,a\n", "line 3: pair 'q' is also line 2"),
        ("\udcff", "line 1: byte 0xff is no UTF-8"),
    ],
)
def test_wrong_pairs(tmp_path, text, message):
    path = tmp_path / "pairs.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SriqaError, match=message):
        read_pairs(path)


def test_pairs_with_only_what_is_needed(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(f"\ufeff{HEADER},other\np,c,A,B,a.png,b.png,x\n", encoding="utf-8")
    assert read_pairs(path) == [Pair("p", "c", "A", "B", "a.png", "b.png")]
    with pytest.raises(SriqaError, match="No such file"):
        read_pairs(Path("nowhere.csv"))


@pytest.mark.answers(
    "Names and lists", "odd names of methods and files, in `pairs.csv`", "read back as they were"
)
def test_what_is_written_is_read(tmp_path):
    images = ("a, or\rnot.png", "é\n=.png", "lr.png")
    pairs = [
        Pair("p", "c", "=A", "-B", *images[:2]),
        Pair("'", "'-c", "\tA", "@B", "+x.png", *images[1:]),
        Pair("q", "c", "A", "C", "a.png", *images[1:], "mad", "0.1", "2.5", "1"),
    ]
    write_pairs(tmp_path / "pairs.csv", pairs)
    assert read_pairs(tmp_path / "pairs.csv") == pairs
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]
    assert ",'=A,'-B," in (tmp_path / "pairs.csv").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SriqaError, match=r"file/pairs.csv: cannot be written"):
        write_pairs(tmp_path / "file" / "pairs.csv", [])
