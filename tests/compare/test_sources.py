"""What arguments mean: names of methods, folders, files in data sets."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sriqa_metric.compare.sources import names_of, read_place, split_name
from sriqa_metric.errors import SriqaError


def names(*arguments):
    return names_of([read_place(argument) for argument in arguments])


def test_equal_names_are_told_apart_by_their_path(here):
    here("one/x/out/a.png", "two/x/out/a.png", "gan/a.png", "p/a_gan.png")
    found = names("one/x/out", "two/x/out", "gan", "p/*_gan.png")
    assert found[:2] == ["one/x/out", "two/x/out"]
    assert found[3] == "p/gan"
    assert len(set(found)) == 4
    assert found[2].endswith("/gan")


def test_the_same_folder_twice(here):
    here("gan/a.png")
    assert names("gan", "gan/", "./gan") == ["gan", "gan (2)", "gan (3)"]


def test_the_current_folder_has_a_name(here):
    root = here("a.png", "gan/a.png")
    assert names(".", "gan") == [root.name, "gan"]


@pytest.mark.answers(
    "Names and lists", "`NAME=PATH` as an argument of `sriqa-compare`", "the method is called so"
)
def test_a_name_is_given_before_an_equals_sign(here):
    here("out/x4/a.png", "p/a_x4.png")
    assert names("ours=out/x4", "s w=p/*_x4.png", "out/x4", "p/*_x4.png") == [
        *("ours", "s w", "out/x4", "p/x4"),
    ]


@pytest.mark.answers(
    "Names and lists",
    "a path with an equals sign that is there, or with a slash before it",
    "is that path",
)
@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("lr=1e-4", "lr=1e-4"),
        ("./lr=1e-4", "lr=1e-4"),
        ("runs/lr=2", "lr=2"),
        ("lr=*", "lr="),
        ("runs/lr=*/*.png", "lr="),
        ("x=lr=1e-4", "x"),
        ("x=runs/lr=2", "x"),
        ("=runs/lr=2/*.png", None),
        ("runs/x=runs/lr=2", None),
        ("x=", None),
        (" =lr=1e-4", None),
    ],
)
def test_a_path_may_have_an_equals_sign(here, argument, name):
    here("lr=1e-4/a.png", "runs/lr=2/a.png", "lr=b.png")
    if name is None:
        with pytest.raises(SriqaError) as error:
            names(argument)
        assert str(error.value).startswith(f"{argument}: ")
        return
    assert names(argument) == [name]


def test_home_stands_for_itself_behind_a_name(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here("out/a.png")))
    assert names("ours=~/out") == ["ours"]


@pytest.mark.answers("Names and lists", "a method's name given twice", "error: names both")
def test_a_name_given_twice(here):
    here("a/x.png", "b/x.png", "c/ours/x.png")
    for second in ("ours=b", "c/ours", "ours=a"):
        with pytest.raises(SriqaError) as error:
            names("ours=a", second)
        assert str(error.value).startswith(f"{second}: there is a method 'ours' already, ours=a; ")


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("missing", "missing: no such folder; check the path"),
        ("ours=missing", "missing: no such folder; check the path"),
        ("empty", "empty: no images; looked for"),
        ("deep", "deep: no images, neither in it nor in the 1 folder in it; give a pattern"),
        ("*_gan.png", "*_gan.png: no image files match"),
        ("x/a.png", "x/a.png: is a file; give the folder"),
        ("ours=x/a.png", "x/a.png: is a file; give the folder"),
        ("", ": no such folder"),
        ("a\0b", "no such folder"),
        ("=", "=: nothing after the equals sign; write NAME=PATH"),
    ],
)
def test_errors(here, argument, told):
    here("x/a.png", "empty/notes.txt", "deep/Set5/x4/a.png")
    with pytest.raises(SriqaError) as error:
        read_place(argument)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), max_size=9))
def test_a_folder_of_any_name_is_itself(name):
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, f"a{name}")
        os.mkdir(folder)
        Path(folder, "x.png").touch()
        assert split_name(folder) == ("", folder)
        assert read_place(folder).where[-1] == f"a{name}"
        method = name.replace("=", "") + "n"
        assert read_place(f"{method}={folder}").name == method
