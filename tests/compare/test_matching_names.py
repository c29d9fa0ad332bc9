"""Contents found in the names of files, whatever these are."""

import os
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from sriqa_metric.compare.matching import find_results
from sriqa_metric.errors import SriqaError
from tests.compare.conftest import one


def test_folder_name_at_the_end_of_a_file_name(here):
    here("bicubic/a_1_bicubic.png", "bicubic/b_x.png", "gan/a_1_gan.png", "gan/b_x.png")
    assert one("bicubic/", "./gan").contents == ("a_1", "b_x")


def test_unicode_in_either_form(here):
    here("x/caf\u00e9.png", "y/cafe\u0301.png", "x/図.png", "y/図_y.png")
    assert one("x", "y").contents == ("caf\u00e9", "図")


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_names_that_are_no_text(here):
    name = os.fsdecode(b"\xe9\xff")
    here(f"x/{name}.png", f"y/{name}.png")
    assert one("x", "y").contents == (name,)


def test_unicode_of_data_sets_and_clips_in_either_form(here):
    one_form, other = "caf\u00e9", "cafe\u0301"
    here(
        f"x/{one_form}/{one_form}/0.png",
        f"y/{other}/{other}/0.png",
        f"gt/{other}/GT/{one_form}/0.png",
    )
    for methods in (("x", "y"), ("x/*/*/*.png", "y"), ("x", "y/*/*/*.png")):
        for gt in ("gt", "gt/*/GT/*/*.png", f"{other}=gt/{other}"):
            found = one(*methods, clips=True, gt=gt)
            assert (found.data_set, found.contents) == (one_form, (f"{one_form}/0",))
            assert found.references == (f"gt/{other}/GT/{one_form}/0.png",)


@pytest.mark.answers(
    "Names and lists",
    "names as BasicSR, EDSR, HAT, Real-ESRGAN, RCAN or SwinIR write them, with `--gt`",
    "the content is found in each",
)
@pytest.mark.parametrize(
    ("results", "truth"),
    [
        ("ours/visualization/Set5/{}_ours.png", "data/Set5/GTmod12/{}.png"),
        ("edsr/results-Set5/{}_x4_SR.png", "data/benchmark/Set5/HR/{}.png"),
        ("hat/visualization/Set5/{}_HAT_SRx4_ImageNet-pretrain.png", "data/Set5/original/{}.png"),
        ("esrgan/{}_out.png", "data/{}.png"),
        ("RCAN/Set5/{}_RCAN_BIX4.png", "data/Set5/{}_SRF_4_HR.png"),
        ("swinir_real_sr_x4/{}_SwinIR.png", "data/HR/{}.tif"),
        ("x/{}x4.png", "data/{}x4.png"),
        ("x/{}.png", "data/{}_gt.png"),
    ],
)
def test_usual_names(here, results, truth):
    names = ("0801", "baby", "img_001")
    here(*(where.format(name) for where in (results, truth) for name in names))
    method = results.replace("{}", "*") if "results-" in results else results.split("/")[0]
    gt = "data/benchmark/Set5" if "benchmark" in truth else "data"
    found = one(method, gt=gt)
    assert found.contents == names
    assert found.references == tuple(truth.format(name) for name in names)


def test_the_suffix_is_dropped_where_it_is(here):
    here("x/a_x4out.png", "x/b_x4out_x.png", "y/a_x4out.png", "y/b.png")
    assert one("x", "y", suffix="_x4out").contents == ("a",)
    here("v/cafe\u0301_\u00e9.png", "w/S/caf\u00e9.png")
    assert one("v", "w", suffix="_e\u0301").contents == ("caf\u00e9",)
    assert one("v/*.png", "w/*/*.png", suffix="_e\u0301").contents == ("caf\u00e9",)


def test_a_suffix_of_frames_is_of_the_frame(here):
    here("x/a/out.png", "x/b/0out.png", "y/a/out.png", "y/b/0.png")
    assert one("x", "y", clips=True, suffix="out").contents == ("a/out", "b/0")


@pytest.mark.answers(
    "Names and lists", "a `--suffix` that no file has", "error: how some files are called"
)
def test_a_suffix_that_no_file_has(here):
    here("x/a_x4.png", "y/S/b.png")
    with pytest.raises(SriqaError) as error:
        find_results(["x", "y"], suffix="_x2")
    assert str(error.value).startswith("'_x2': no file's name ends with this suffix")
    assert str(error.value).endswith("they are called a_x4.png, b.png")


# Any name of a file; hidden files, and names that a file system may not take, apart.
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\0")
    | st.sampled_from("=_ .x4"),
    min_size=1,
    max_size=12,
).filter(lambda name: not name.startswith(".") and len(os.fsencode(name)) < 100)
contents = st.lists(names, min_size=1, max_size=6, unique=True)


@st.composite
def results(draw):
    """Method -> names of its files, which are most of the same contents with an ending."""
    pool = draw(contents)
    methods = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    ending = st.sampled_from(["", "", "x4", "_x2_ours", "_out", "=1"])
    return {
        method: [f"{stem}{end}" for stem in pool[draw(st.integers(0, min(2, len(pool) - 1))) :]]
        for method in methods
        for end in [draw(ending)]
    }


@settings(max_examples=60, deadline=None)
@given(results(), names)
def test_no_file_is_lost_whatever_its_name(files, data_set):
    with tempfile.TemporaryDirectory() as root:
        for method, stems in files.items():
            for stem in stems:
                path = Path(root, method, data_set, f"{stem}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        there = {str(path) for path in Path(root).rglob("*.png")}
        try:
            (found,) = find_results([Path(root, method) for method in files])
        except SriqaError as error:
            found = str(error)
    if isinstance(found, str):
        event("error")
        assert "two files of" in found or "no content that all methods have" in found
        return
    assert found.methods == tuple(files)
    assert set(found.files) == there
    for method, paths in zip(files, found.paths, strict=True):
        for content, path in zip(found.contents, paths, strict=True):
            assert Path(path).parent == Path(root, method, data_set)
            assert unicodedata.normalize("NFC", Path(path).stem).startswith(content)
        left = [one for one in found.unmatched if method not in one.lacking]
        assert len(paths) + len(left) == len(files[method])


@settings(max_examples=60, deadline=None)
@given(st.lists(names, min_size=1, max_size=3, unique_by=str.casefold), contents)
def test_equal_names_are_matched(methods, stems):
    assume(not any(stem.endswith(f"_{method}") for stem in stems for method in methods))
    assume(len({unicodedata.normalize("NFC", stem) for stem in stems}) == len(stems))
    with tempfile.TemporaryDirectory() as root:
        for method in methods:
            Path(root, method).mkdir()
            for stem in stems:
                Path(root, method, f"{stem}.png").touch()
        (found,) = find_results([Path(root, method) for method in methods])
    assert len(found.contents) == len(stems)
    assert found.unmatched == ()
    for paths in zip(*found.paths, strict=True):
        assert len({Path(path).name for path in paths}) == 1
