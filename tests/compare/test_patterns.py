"""What the wildcards of a pattern stand for."""

import os

import pytest

from sriqa_metric.compare.matching import find_results
from sriqa_metric.compare.patterns import read_pattern
from sriqa_metric.errors import SriqaError


def read(pattern, clips=False):
    """Name of the pattern, and (set, content) of its files."""
    where, sets = read_pattern(pattern, clips)
    return where[-1], [(each, name) for each, source in sets.items() for name, _ in source.files]


@pytest.mark.parametrize(
    ("pattern", "name", "data_set", "content"),
    [
        ("d/*_new.png", "new", "", "a_b"),
        ("./d//*_new.*", "new", "", "a_b"),
        ("d/a*_new.png", "a_new", "", "_b"),
        ("d/?_b_new.png", "b_new", "", "a"),
        ("d/[ab]_b_new.png", "b_new", "", "a"),
        ("d/[!x]_b_new.p?g", "b_new", "", "a"),
        ("d/*.png", "d", "", "a_b_new"),
        ("d/*", "d", "", "a_b_new"),
        ("d/a_b_new.*", "a_b_new", "", "a_b_new"),
        ("d/a_b_new*.png", "a_b_new", "", "a_b_new"),
        ("*/a_b_new.png", "a_b_new", "", "d"),
        ("**/*_new.png", "new", "d", "a_b"),
        ("**", "HERE", "d", "a_b_new"),
        ("*/*_new.png", "new", "d", "a_b"),
        ("d*/*_new.png", "new", "", "a_b"),
    ],
)
def test_what_a_pattern_means(here, pattern, name, data_set, content):
    root = here("d/a_b_new.png")
    assert read(pattern) == (name.replace("HERE", root.name), [(data_set, content)])
    assert read(f"{root}/{pattern}") == (name.replace("HERE", root.name), [(data_set, content)])


@pytest.mark.answers(
    "Names and lists",
    "a pattern with wildcards for folders and file, `results/*/ours/*.png`",
    "the wildcards of folders stand for the data set",
)
@pytest.mark.parametrize(
    ("ours", "swinir"),
    [
        ("results/*/ours/*_x4.png", "results/*/swinir/*.png"),
        ("results-*/ours/**/*_x4.png", "results/*/swinir/**/*.png"),
        ("results/*/ours/*_x4.png", "results/swinir"),
    ],
)
def test_wildcards_of_folders_stand_for_the_data_set(here, ours, swinir):
    for each in ("Set5", "Set14"):
        here(f"results/{each}/ours/a_x4.png", f"results-{each}/ours/a_x4.png")
        here(f"results/{each}/swinir/a.png", f"results/swinir/{each}/a.png")
    found = find_results([f"ours={ours}", swinir])
    assert [each.data_set for each in found] == ["Set14", "Set5"]
    assert [each.contents for each in found] == [("a",), ("a",)]


def test_files_beside_folders_are_a_set_of_their_own(here):
    here("d/a.png", "d/Set5/a.png", "d/x/Set5/b.png")
    assert sorted(read("d/**/*.png")[1]) == [(".", "a"), ("Set5", "a"), ("x/Set5", "b")]


def test_folders_stand_for_contents_where_the_file_has_no_wildcard(here):
    here("set/a/bicubic.png", "set/b/bicubic.png", "set/a/gan.png", "set/b/gan.png")
    (found,) = find_results(["set/*/bicubic.png", "set/*/gan.png"])
    assert found.methods == ("bicubic", "gan")
    assert found.contents == ("a", "b")
    here("s/x/a/gan.png", "s/y/a/gan.png")
    assert read("s/*/*/gan.png")[1] == [("", "x/a"), ("", "y/a")]


def test_clips_and_frames(here):
    here("v/Vid4/ours/city/0.png", "v/Vid4/ours/walk/0.png", "v/c/ours_000.png")
    assert read("v/*/ours/*/*.png", True)[1] == [("Vid4", "city/0"), ("Vid4", "walk/0")]
    assert read("v/Vid4/ours/*/*.png", True)[1] == [("", "city/0"), ("", "walk/0")]
    assert read("v/*/ours_*.png", True) == ("ours", [("", "c/000")])
    with pytest.raises(SriqaError, match="needs a wildcard for the clip and one for the frame"):
        read("v/c/*.png", True)


def test_a_folder_with_brackets(here):
    here("out[1]/a_x.png", "out[1]/a_y.png")
    (found,) = find_results(["out[[]1]/*_x.png", "out[[]1]/*_y.png"])
    assert found.methods == ("x", "y")
    assert found.contents == ("a",)
    here("out[1]/z/a.png", "out[1]/y/a.png")
    assert find_results(["out[1]/z", "out[1]/y"])[0].methods == ("z", "y")


def test_hidden_files_are_not_matched(here):
    here("d/a.png", "d/.b.png", "d/._a.png", ".h/c.png", "d/x.png/notes.txt")
    assert read("**/*")[1] == [("d", "a")]


@pytest.mark.answers(
    "Names and lists",
    "a pattern that leads through a folder that must not be read",
    "error: make it readable; nothing in it is passed over",
)
@pytest.mark.parametrize("pattern", ["*/*.png", "**/*.png", "**/a.png", "s/locked/*.png"])
def test_a_folder_that_cannot_be_read(here, pattern, monkeypatch):
    here("s/a.png", "s/locked/a.png", "locked/a.png")

    def refusing(scan):
        def refused(path="."):
            if str(path).rstrip("/").endswith("locked"):
                raise PermissionError(13, "Permission denied", str(path))
            return scan(path)

        return refused

    for name in ("listdir", "scandir"):  # root may read any folder
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    with pytest.raises(SriqaError, match="locked: Permission denied; make the folder readable"):
        read(pattern)


def test_nothing_matches(here):
    here("x/a.png", "x/notes.txt")
    for pattern in ("x/*_gan.png", "x/*.txt", "y/*"):
        with pytest.raises(SriqaError, match="no image files match this pattern"):
            read(pattern)
