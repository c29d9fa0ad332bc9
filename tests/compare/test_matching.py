"""Folders and patterns matched by content."""

import os
import sys
from pathlib import Path

import pytest

from sriqa_metric.compare.matching import Unmatched, find_results
from sriqa_metric.errors import SriqaError
from tests.conftest import EXAMPLES


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Makes empty files in a folder that is the current one."""
    monkeypatch.chdir(tmp_path)

    def make(*paths: str) -> Path:
        for path in paths:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
        return tmp_path

    return make


def test_folders(here):
    here(
        "bicubic/b.png", "bicubic/a.PNG", "gan/a.webp", "gan/b.jpg", "gan/notes.txt", "gan/s/c.png"
    )
    found = find_results(["bicubic", Path("gan")])
    assert found.methods == ("bicubic", "gan")
    assert found.contents == ("a", "b")
    assert found.paths == (("bicubic/a.PNG", "bicubic/b.png"), ("gan/a.webp", "gan/b.jpg"))
    assert found.unmatched == ()


def test_folder_name_at_the_end_of_a_file_name(here):
    here("bicubic/a_1_bicubic.png", "bicubic/b_x.png", "gan/a_1_gan.png", "gan/b_x.png")
    assert find_results(["bicubic/", "./gan"]).contents == ("a_1", "b_x")


def test_patterns_of_the_examples():
    methods = ("bicubic", "dat_light_x4", "realesrgan_x4plus")
    found = find_results([f"{EXAMPLES}/*_{method}.png" for method in methods])
    assert found.methods == methods
    assert found.contents == ("astronaut", "chelsea", "coffee")
    assert found.paths[1][2] == f"{EXAMPLES}/coffee_dat_light_x4.png"


@pytest.mark.parametrize(
    ("pattern", "name", "content"),
    [
        ("d/*_new.png", "new", "a_b"),
        ("./d//*_new.*", "new", "a_b"),
        ("d/a*_new.png", "a_new", "_b"),
        ("d/?_b_new.png", "b_new", "a"),
        ("d/[ab]_b_new.png", "b_new", "a"),
        ("d/[!x]_b_new.p?g", "b_new", "a"),
        ("d/*.png", "d", "a_b_new"),
        ("d/*", "d", "a_b_new"),
        ("**/*_new.png", "new", "d/a_b"),
        ("*/a_b_new.png", "a_b_new", "d"),
    ],
)
def test_what_a_pattern_means(here, pattern, name, content):
    here("d/a_b_new.png", f"other/{content}.png")
    other = f"other/{'**/' if '/' in content else ''}*.png"
    found = find_results([pattern, other])
    assert found.methods == (name, "other")
    assert found.contents == (content,)


def test_pattern_in_a_folder_with_brackets(here):
    here("out[1]/a_x.png", "out[1]/a_y.png")
    found = find_results(["out[[]1]/*_x.png", "out[[]1]/*_y.png"])
    assert found.methods == ("x", "y")
    assert found.contents == ("a",)
    here("out[1]/z/a.png", "out[1]/y/a.png")
    assert find_results(["out[1]/z", "out[1]/y"]).methods == ("z", "y")


def test_a_wildcard_stands_for_folders(here):
    here("set/a/bicubic.png", "set/b/bicubic.png", "set/a/gan.png", "set/b/gan.png")
    found = find_results(["set/*/bicubic.png", "set/*/gan.png"])
    assert found.methods == ("bicubic", "gan")
    assert found.contents == ("a", "b")


def test_equal_names_are_told_apart_by_their_path(here):
    here("one/x/out/a.png", "two/x/out/a.png", "gan/a.png", "p/a_gan.png")
    found = find_results(["one/x/out", "two/x/out", "gan", "p/*_gan.png"])
    assert found.methods[:2] == ("one/x/out", "two/x/out")
    assert found.methods[3] == "p/gan"
    assert len(set(found.methods)) == 4
    assert found.methods[2].endswith("/gan")


def test_the_same_folder_twice(here):
    here("gan/a.png")
    assert find_results(["gan", "gan/", "./gan"]).methods == ("gan", "gan (2)", "gan (3)")


def test_the_current_folder_has_a_name(here):
    root = here("a.png", "gan/a.png")
    assert find_results([".", "gan"]).methods == (root.name, "gan")


def test_unmatched_contents_say_who_lacks_them(here):
    here("x/a.png", "x/b.png", "y/a.png", "y/c.png", "z/a.png", "z/b.png")
    found = find_results(["x", "y", "z"])
    assert found.contents == ("a",)
    assert found.unmatched == (Unmatched("b", ("y",)), Unmatched("c", ("x", "z")))


def test_unicode_in_either_form(here):
    here("x/caf\u00e9.png", "y/cafe\u0301.png", "x/図.png", "y/図_y.png")
    assert find_results(["x", "y"]).contents == ("caf\u00e9", "図")


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_names_that_are_no_text(here):
    name = os.fsdecode(b"\xe9\xff")
    here(f"x/{name}.png", f"y/{name}.png")
    assert find_results(["x", "y"]).contents == (name,)


def test_two_files_of_one_content(here):
    here("x/a.png", "x/a.jpg", "y/a.png")
    with pytest.raises(SriqaError, match=r"x/a\.jpg and x/a\.png.* x .*'a'"):
        find_results(["x", "y"])
    here("z/b.png", "z/b_z.png")
    with pytest.raises(SriqaError, match=r"z/b\.png and z/b_z\.png"):
        find_results(["z", "y"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "at least two methods, got 0"),
        (["x"], "at least two methods, got 1"),
        (["x", "missing"], "missing: no such folder"),
        (["x", "empty"], "empty: no images"),
        (["x", "*_gan.png"], "*_gan.png: no image files match"),
        (["x", "x/a.png"], "x/a.png: is a file; give the folder"),
        (["x", "y"], "x has a, b; y has 0, 1, 2 and 2 more"),
    ],
)
def test_errors(here, arguments, told):
    here("x/a.png", "x/b.png", "empty/notes.txt", *(f"y/{k}.png" for k in range(5)))
    with pytest.raises(SriqaError) as error:
        find_results(arguments)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
