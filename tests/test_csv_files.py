"""CSV files and lists as spreadsheets, other systems and mistakes leave them, for every reader."""

import os
import threading

import pytest

from sriqa_metric.calibrate.data.image_pairs import read_pairs
from sriqa_metric.calibrate.data.mos_sets import read_labelled
from sriqa_metric.calibrate.data.sr_results import read_ranking
from sriqa_metric.calibrate.data.vote_files import read_votes
from sriqa_metric.calibrate.evaluation.pair_sets import read_pairs as read_voted_pairs
from sriqa_metric.calibrate.evaluation.ranked import read_names
from sriqa_metric.csv_files import read_lines, read_list, read_table
from sriqa_metric.errors import SriqaError
from sriqa_metric.names import csv_line
from sriqa_metric.scorers.tables import read_score_tables

# Reader -> name of its file, header, and a line in which NAME is a name and NUMBER a number.
READERS = {
    "ranking": (read_ranking, "ranking.csv", "method,mu", "NAME,NUMBER"),
    "scores": (read_score_tables, "scores.csv", "path,score", "NAME,NUMBER"),
    "labels": (
        *(lambda path: read_labelled("mos", path.parent), "labels.csv"),
        *("path,mos", "NAME,NUMBER"),
    ),
    "voted pairs": (
        *(lambda path: read_voted_pairs(path.parent), "pairs.csv"),
        *("image_a,image_b,fraction", "NAME,b.png,NUMBER"),
    ),
    "votes": (read_votes, "votes.csv", "observer,content,method_a,method_b,choice", "NAME,c,A,B,a"),
    "image pairs": (
        *(read_pairs, "pairs.csv", "pair,content,method_a,method_b,image_a,image_b"),
        "NAME,c,A,B,NAME-a.png,NAME-b.png",
    ),
}
NUMBERS = [kind for kind, given in READERS.items() if "NUMBER" in given[3]]


@pytest.fixture(params=READERS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def read(tmp_path):
    """Writes bytes as the file of a kind of reader, and reads it."""

    def written(kind: str, data: bytes) -> object:
        reader, name, *_ = READERS[kind]
        (tmp_path / name).write_bytes(data)
        return reader(tmp_path / name)

    return written


def text_of(kind: str, *names: str, number: str = "0.5", end: str = "\n") -> str:
    *_, header, line = READERS[kind]
    lines = [line.replace("NAME", name).replace("NUMBER", number) for name in names]
    return end.join([header, *lines, ""])


def error_of(read, kind: str, data: bytes) -> str:
    with pytest.raises(SriqaError) as found:
        read(kind, data)
    message = str(found.value)
    assert READERS[kind][1] in message
    assert len(message) < 1000
    return message


@pytest.mark.answers(
    "Names and lists",
    "a CSV file with a byte order mark, CR LF or CR at the ends of lines",
    "read",
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_files_of_every_system_are_read(kind, read, end):
    read(kind, b"\xef\xbb\xbf" + text_of(kind, "é", "b", end=end).encode())


@pytest.mark.answers(
    "Names and lists",
    "a CSV file in Latin-1 or another old encoding",
    "error: names the line and the byte; save the file as UTF-8",
)
def test_latin_1_is_told(kind, read):
    message = error_of(read, kind, text_of(kind, "a", "é").encode("latin-1"))
    assert "line 3: byte 0xe9 is no UTF-8; save the file as UTF-8" in message


@pytest.mark.answers(
    "Names and lists",
    "a CSV file in UTF-16 or with a NUL byte",
    "error: names the line; save the file as UTF-8",
)
def test_utf_16_and_nul_are_told(kind, read):
    for encoding in ("utf-16", "utf-16-be"):
        message = error_of(read, kind, text_of(kind, "a", "b").encode(encoding))
        assert "line 1: has a NUL byte, as UTF-16 has; save the file as UTF-8" in message
    assert "line 3: has a NUL" in error_of(read, kind, text_of(kind, "a", "b\0").encode())


@pytest.mark.answers(
    "Names and lists",
    "a CSV field of thousands of characters, or a quote that is never closed",
    "error: names the line; is a quote missing?",
)
@pytest.mark.parametrize("name", ["x" * 5000, "x" * 200_000, '"x', '"x" y'])
def test_huge_fields_and_open_quotes_are_told(kind, read, name):
    message = error_of(read, kind, text_of(kind, "a", name).encode())
    assert "line 3: " in message
    assert message.endswith("is a quote missing?")


@pytest.mark.answers(
    "Names and lists",
    "`nan`, `inf`, 1e308, a decimal comma or `1_000` where a number is to be",
    "error: names the line, the column and the value",
)
@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize(
    "number", ["nan", "-inf", "1e308", "-1e308", "1e400", '"0,5"', "1_000", "high", "9" * 300]
)
def test_what_is_no_usual_number_is_told(kind, read, number):
    message = error_of(read, kind, text_of(kind, "a", number=number).encode())
    column, value = READERS[kind][2].split(",")[-1], number.replace('"', "")
    assert f"line 2: {column} is '{value[:200]}" in message
    assert "not a number (below 1e15, with a decimal point)" in message


@pytest.mark.answers(
    "Names and lists",
    "a CSV line with more fields than the header, as an unquoted decimal comma makes",
    "error: names the line and how many fields",
)
@pytest.mark.parametrize("kind", NUMBERS)
def test_a_decimal_comma_is_no_other_number(kind, read):
    n = READERS[kind][2].count(",") + 1
    message = error_of(read, kind, text_of(kind, "a", number="3,5").encode())
    assert f"line 2: {n + 1} fields, but the header has {n}: " in message


@pytest.mark.answers(
    "Names and lists", "a CSV file with semicolons", "error: the columns expected and those found"
)
def test_semicolons_are_told(kind, read):
    message = error_of(read, kind, text_of(kind, "a").replace(",", ";").encode())
    assert "no column" in message
    assert "expected" in message


@pytest.mark.answers("Names and lists", "a column twice in a CSV file", "error: keep one")
def test_a_column_is_there_once(kind, read):
    header, *lines = text_of(kind, "a").splitlines()
    first = header.split(",")[0]
    twice = "\n".join([f"{header},{first}", *(f"{line},a" for line in lines)])
    assert f"the column {first!r} occurs twice" in error_of(read, kind, twice.encode())


def test_lines_that_lack_their_last_fields_or_have_empty_ones_more_are_read(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b,c\n1,2\n\n1,2,3,,\n")
    rows = [{"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}]
    assert list(read_table(path, ("a", "b"))) == [(2, rows[0]), (4, rows[1])]


NAMES = ["=1+1", "-x", "@a", "\tb", "\rc", "'=d", "'e", "+f\ng", 'h"i,j', "k\u2028l\x0cm", "-5"]


@pytest.mark.answers(
    "Names and lists", "names that were marked with an apostrophe in CSV", "read as they were"
)
def test_what_csv_line_wrote_is_read_back(tmp_path):
    path = tmp_path / "x.csv"
    rows = [("method", "mu"), *((name, 1.5) for name in NAMES)]
    path.write_text("".join(map(csv_line, rows)), encoding="utf-8", newline="")
    assert list(read_ranking(path)) == NAMES
    columns = ("observer", "content", "method_a", "method_b", "choice")
    rows = [columns, *(("=o", "-c", "A", name, "a") for name in [*NAMES, NAMES[0]])]
    path.write_text("".join(map(csv_line, rows)), encoding="utf-8", newline="")
    votes = read_votes(path)
    assert set(votes.methods) == {"A", *NAMES}
    assert (votes.observers, votes.contents) == (("=o",), ("-c",))
    assert len(votes.first) == len(NAMES) + 1


def test_a_name_that_is_marked_in_one_line_and_bare_in_another_is_one(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("observer,content,method_a,method_b,choice\no,c,'=A,B,a\no,c,=A,B,b\n")
    votes = read_votes(path)
    assert votes.methods == ("=A", "B")
    assert votes.first.tolist() == [0, 0]


@pytest.mark.answers(
    "Names and lists",
    "a name with U+2028 or a form feed, in a list of labels or contents",
    "stays whole",
)
def test_lists_end_lines_at_line_ends_only(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffa\u2028b.png 1\r\nc\x0cd.png\t2\n\n3  e\u00a0f.png\n".encode())
    assert read_list(path) == {"a\u2028b.png": 1, "c\x0cd.png": 2, "e\u00a0f.png": 3}
    assert read_lines(path)[0] == "a\u2028b.png 1"
    path.write_bytes("a\u2028b\r\nc\x0cd\n\n".encode())
    assert read_names(path) == ["a\u2028b", "c\x0cd"]


def test_lists_in_other_encodings_are_told(tmp_path):
    path = tmp_path / "list.txt"
    for data, reason in (("é 1".encode("latin-1"), "byte 0xe9"), ("a 1".encode("utf-16"), "NUL")):
        path.write_bytes(b"a.png 1\n" + data)
        for reader in (read_list, read_names):
            with pytest.raises(SriqaError, match=rf"list\.txt: line 2: .*{reason}"):
                reader(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX")
def test_votes_of_a_pipe_are_read_once_and_errors_name_the_line(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    data = text_of("votes", "o", "") + "o,c,A\n"
    writer = threading.Thread(target=lambda: fifo.write_text(data))
    writer.start()
    with pytest.raises(SriqaError, match="line 4: 3 fields, but the header has 5"):
        read_votes(fifo)
    writer.join()
