"""What others named is shown, and written, so that it does no harm and can be read back."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriqa_metric.names import counted, csv_line, csv_name, markdown, one_line, visible


@pytest.mark.answers(
    "Names and lists",
    "a name with ESC, BEL, line breaks or marks that turn text around, on a terminal",
    r"shown as `\x1b`, `\x07`, `\n`, `\u202e`",
)
def test_what_does_not_print_is_shown():
    assert visible("\x1b[2J\a\r\n\x7f\x9b\u2028\u202e\0") == (
        r"\x1b[2J\x07\r\n\x7f\x9b\u2028\u202e\x00"
    )


@pytest.mark.answers("Names and lists", "letters of any script, on a terminal", "stay as they are")
@pytest.mark.parametrize("name", ["ünï-写真.png", "with space", "日本\u3000語", "a\\b", "😀", ""])
def test_letters_stay(name):
    assert visible(name) == name


@pytest.mark.answers(
    "Names and lists", "a name with bytes that are no text, on a terminal", r"shown as `\xff`"
)
def test_a_byte_that_is_no_text_is_its_number():
    assert visible("caf\udce9.png") == r"caf\xe9.png"
    assert visible("\ud800") == r"\ud800"


@given(st.text(st.characters()))
def test_everything_visible_can_be_encoded_and_has_no_controls(text):
    shown = visible(text).encode()
    assert not any(byte < 32 or byte == 127 for byte in shown)


def test_one_line():
    assert one_line("a\r\n b\x0b\tc\x1b") == r"a b c\x1b"


@pytest.mark.answers(
    "Names and lists",
    "markup in a name, in Markdown",
    "shown, not obeyed: backslashes before pipes, backticks, `<script>`",
)
def test_markdown_shows_markup():
    assert markdown("a|b `c` <script> *x* $y$\n# z") == (r"a\|b \`c\` \<script\> \*x\* \$y\$ \# z")
    for text in ("0.12", "-1", "a-b", "sriqa_lite"):
        assert markdown(text) == text
    assert markdown("_x_ a__b") == r"\_x\_ a\_\_b"
    marked = {"- x": r"\- x", "+": r"\+", "---": r"\---", "12. z": r"12\. z"}
    assert {text: markdown(text) for text in marked} == marked


@pytest.mark.answers(
    "Names and lists",
    "a name that begins as a formula (`=`, `+`, `-`, `@`, a tab or a line break), in CSV",
    "an apostrophe before it, which this package's readers take away; numbers stay",
)
@pytest.mark.parametrize("name", ["=1+1", "+a", "-x.png", "@SUM(A1)", "\t=1", "\r=1", "\n5", "'=1"])
def test_a_formula_is_marked(name):
    assert next(csv.reader(io.StringIO(csv_line([name]), newline=""))) == [f"'{name}"]


@pytest.mark.parametrize("value", [-1.5, "-1.5", "+3", "-1e5", "'tis", "a=b", "", "-inf"])
def test_numbers_and_other_names_stay(value):
    assert csv_line([value, 1]) == f"{value},1\n"


def test_nothing_is_an_empty_field():
    assert csv_line([None, "a"]) == ",a\n"


@pytest.mark.answers(
    "Names and lists", "a line feed, a lone carriage return, quotes or commas in a name, in CSV",
    "the field is quoted",
)  # fmt: skip
@given(st.lists(st.text(st.characters(exclude_characters="\0")), min_size=2))
def test_csv_is_read_back(values):
    line = csv_line(values)
    (row,) = csv.reader(io.StringIO(line, newline=""), strict=True)
    assert [csv_name(value) for value in row] == values


def test_one_is_no_plural():
    assert [counted(n, "LR input") for n in (0, 1, 2)] == [
        "0 LR inputs",
        "1 LR input",
        "2 LR inputs",
    ]
