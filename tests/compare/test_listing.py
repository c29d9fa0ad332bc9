"""What was matched, as `--dry-run` shows it."""

import io

import pytest

from sriqa_metric.compare.listing import summary, write_listing
from sriqa_metric.compare.matching import find_results


def listing(*arguments, **options):
    """Lines of the listing, and the summary."""
    found = find_results(arguments, **options)
    write_listing(found, stream := io.StringIO())
    return stream.getvalue().splitlines(), summary(found)


def test_one_data_set(here):
    here(*(f"out/x/{name}_x4.png" for name in "abc"), *(f"y/{name}.png" for name in "abc"))
    lines, short = listing("x=out/x", "y")
    assert lines == [
        "3 contents",
        "  x: out/x, 3 files: a (a_x4.png) to c (c_x4.png)",
        "  y: y, 3 files: a (a.png) to c (c.png)",
    ]
    assert short == "2 methods; 3 contents"


def test_one_of_everything(here):
    here("x/visualization/Set5/a_x.png", "gt/Set5/HR/a.png")
    lines, short = listing("x", gt="gt")
    assert lines == [
        "Set5: 1 content with ground truth",
        "  x: x/visualization/Set5, 1 file: a (a_x.png)",
        "  ground truth: gt/Set5/HR, 1 file: a (a.png)",
    ]
    assert short == "1 method; Set5: 1 content with ground truth"


@pytest.mark.answers(
    "Names and lists",
    "`sriqa-compare --dry-run`",
    "which files are matched and what is left out; nothing is scored",
)
def test_data_sets_and_what_is_left_out(here):
    here(*(f"x/{each}/{k:02}.png" for each in ("S1", "S2", "S3") for k in range(50)))
    here(*(f"y/{each}/{k:02}.png" for each in ("S1", "S2") for k in range(0, 50, 5)))
    here(*(f"gt/S2/{k:02}.png" for k in range(0, 50, 10)))
    lines, short = listing("x", "y", gt="gt")
    assert lines == [
        "S1: 10 contents",
        "  x: x/S1, 10 files: 00 (00.png) to 45 (45.png)",
        "  y: y/S1, 10 files: 00 (00.png) to 45 (45.png)",
        "  ground truth: none",
        "  left out: S3 (50 contents) is not in y; 01 is not in y; 02 is not in y; 03 is not in y; "
        "04 is not in y and 36 more",
        "S2: 5 contents with ground truth",
        "  x: x/S2, 5 files: 00 (00.png) to 40 (40.png)",
        "  y: y/S2, 5 files: 00 (00.png) to 40 (40.png)",
        "  ground truth: gt/S2, 5 files: 00 (00.png) to 40 (40.png)",
        "  left out: 01 is not in y, ground truth; 02 is not in y, ground truth; 03 is not in y, "
        "ground truth; 04 is not in y, ground truth; 05 is not in ground truth and 40 more",
    ]
    assert short == (
        "2 methods; S1: 10 contents; S2: 5 contents with ground truth; left out: 86, see --dry-run"
    )


def test_clips(here):
    here(*(f"x/{clip}/{k}.png" for clip in "ab" for k in (0, 1)), "y/a/0.png")
    lines, short = listing("x", clips=True)
    assert lines == ["4 frames of 2 clips", "  x: x, 4 files: a/0 (a/0.png) to b/1 (b/1.png)"]
    assert short == "1 method; 4 frames of 2 clips"
    assert listing("y", clips=True)[0][0] == "1 frame of 1 clip"


def test_patterns(here):
    here("s/a/x.png", "s/b/x.png", "0.png", "1.png")
    assert listing("s/*/x.png")[0][1] == "  x: s, 2 files: a (a/x.png) to b (b/x.png)"
    assert listing("ours=*.png")[0][1] == "  ours: ., 2 files: 0 (0.png) to 1 (1.png)"


def test_names_are_shown_on_one_line(here):
    here("x/a\n\x1b.png")
    assert listing("x")[0] == ["1 content", r"  x: x, 1 file: a\n\x1b (a\n\x1b.png)"]
