"""What lies where in a method's folder, and what its contents are called, for every reader."""

import os
from pathlib import Path

import pytest
from PIL import Image

from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.data.splits import read_data
from sriqa_metric.calibrate.data.sr_results import find_images, read_sr_results
from sriqa_metric.calibrate.evaluation.ranked import read_ranked
from sriqa_metric.calibrate.pipelines import adapted
from sriqa_metric.calibrate.selection.contents import find_contents
from sriqa_metric.compare.matching import find_results
from sriqa_metric.errors import SriqaError
from sriqa_metric.sr_folders import (
    images_below,
    images_in,
    match_contents,
    method_folder,
    no_images,
    possible_contents,
    read_method,
)

LAYOUTS = {
    "plain": ["000.png", "001.png"],
    "method": ["000_gan.png", "001_gan.png"],
    "SR": ["SR/000_gan.png", "SR/001_gan.png"],
    "scale": ["000x4.png", "001x4.png"],
    "scale and method": ["000x4_gan.png", "001x4_gan.png"],
    "SRF": ["000_SRF_4.png", "001_SRF_4.png"],
    "Real-ESRGAN": ["000_out.png", "001_out.png"],
    "BasicSR": ["visualization/Set5/000_run7.png", "visualization/Set5/001_run7.png"],
    "hidden": ["000.png", "001.jpg", "._000.png", ".thumbnail.png", "notes.txt"],
    "folder": ["000.png", "001.png", "x.png/000.png"],
}


def make(root, names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name, "PNG")


def read_by_all(sr, lr):
    """Command -> (method, content) -> file."""
    run = [f"data.sr={sr}", "validation.contents=1"]
    found = find_results([sr / "gan", sr / "plain"])
    compared = {
        (method, f"{each.data_set}/{content}" if len(found) > 1 else content): Path(path)
        for each in found
        for method, paths in zip(each.methods, each.paths, strict=True)
        for content, path in zip(each.contents, paths, strict=True)
    }
    selected = find_contents(sr, lr)
    trained = read_data(load_config("sriqa_lite", run)).full
    adapted_to = read_data(adapted("sriqa_lite", sr, sr / "ranking.csv")).full
    contents = sr.parent / "contents.txt"
    contents.write_text("\n".join(trained.contents))
    ranked = read_ranked(sr, contents).paths
    keys = [(m, c) for m in trained.methods for c in trained.contents]
    return {
        "sriqa-compare": compared,
        "select": selected.results,
        "train": trained.paths,
        "adapt": adapted_to.paths,
        "evaluate": dict(zip(keys, ranked, strict=True)),
    }


@pytest.fixture
def sr(tmp_path):
    """A folder for results of `gan` and `plain`, with their ranking."""
    (tmp_path / "sr").mkdir()
    (tmp_path / "sr" / "ranking.csv").write_text("method,mu\nplain,1\ngan,0\n")
    return tmp_path / "sr"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_read_alike_by_all(layout, sr):
    make(sr / "gan", LAYOUTS[layout])
    make(sr / "plain", LAYOUTS["plain"])
    make(sr.parent / "lr", LAYOUTS["scale"])
    expected = {("plain", c): sr / "plain" / f"{c}.png" for c in ("000", "001")}
    expected |= {("gan", c): sr / "gan" / LAYOUTS[layout][int(c)] for c in ("000", "001")}
    for command, found in read_by_all(sr, sr.parent / "lr").items():
        assert found == expected, command


def test_several_sets_are_read_alike_by_all(sr):
    for method in ("gan", "plain"):
        names = [f"visualization/{each}/000_{method}.png" for each in ("Set5", "Set14")]
        make(sr / method, names)
    make(sr.parent / "lr", ["Set5/000x4.png", "Set14/000x4.png"])
    expected = {
        (method, f"{each}/000"): sr / method / "visualization" / each / f"000_{method}.png"
        for method in ("gan", "plain")
        for each in ("Set5", "Set14")
    }
    for command, found in read_by_all(sr, sr.parent / "lr").items():
        assert found == expected, command


@pytest.mark.answers(
    "Names and lists", "é as one character in one method's names and as two in another's", "matched"
)
def test_contents_in_either_form_of_unicode_are_matched_by_all(sr):
    make(sr / "gan", ["caf\u00e9.png", "b.png"])
    make(sr / "plain", ["cafe\u0301.png", "b.png"])
    make(sr.parent / "lr", ["cafe\u0301.png", "b.png"])
    for command, found in read_by_all(sr, sr.parent / "lr").items():
        assert {content for _, content in found} == {"b", "caf\u00e9"}, command


def test_hr_is_a_method_like_any_other(sr):
    for method in ("HR", "gan"):
        make(sr / method, LAYOUTS["plain"])
    make(sr.parent / "lr", LAYOUTS["plain"])
    (sr / "ranking.csv").write_text("method,mu\nHR,1\ngan,0\n")
    assert read_sr_results(sr, sr / "ranking.csv").methods == ("HR", "gan")
    assert find_contents(sr, sr.parent / "lr").methods == ("HR", "gan")


def test_one_set_is_named_where_another_method_has_several(tmp_path):
    make(tmp_path / "x", ["visualization/Set5/a_r.png", "visualization/Set5/b_r.png"])
    make(tmp_path / "y", ["visualization/Set5/a_y.png", "visualization/Set14/c_y.png"])
    found = match_contents({name: read_method(tmp_path / name) for name in "xy"})
    assert set(found["x"]) == {"Set5/a", "Set5/b"}
    assert set(found["y"]) == {"Set5/a", "Set14/c"}


@pytest.mark.parametrize(
    ("names", "contents"),
    [
        (["0801_out.png"], {"0801"}),
        (["babyx4.png"], {"baby"}),
        (["0801_x4_SR.png", "0802_x4_SR.png"], {"0801", "0802"}),
        (["a_ESRGAN_SRx4_DF2K.png", "b_ESRGAN_SRx4_DF2K.png"], {"a", "b"}),
        (["a_day.png"], {"a_day"}),  # one file does not show what is shared
        (["img_001.png", "pic_001.png"], {"img_001", "pic_001"}),  # a number is no run
        (["a_64x64.png"], {"a_64x64"}),
        (["x4.png"], {"x4"}),
        (["_gan.png"], {"_gan"}),
    ],
)
def test_what_is_cut(names, contents, tmp_path):
    make(tmp_path / "gan", names)
    assert set(match_contents({0: read_method(tmp_path / "gan")})[0]) == contents


def test_sets_are_part_of_a_name_where_there_are_several(tmp_path):
    make(tmp_path / "visualization", ["Set5/a_r.png", "Set14/a_r.png"])
    assert set(match_contents({0: read_method(tmp_path)})[0]) == {"Set5/a", "Set14/a"}


def test_plain_sets_are_read_where_the_caller_takes_them(tmp_path):
    make(tmp_path, ["Set5/a.png", "Set14/a.png", "none/notes.txt"])
    assert read_method(tmp_path).files == []
    found = read_method(tmp_path, plain_sets=True)
    assert [name for name, _ in found.files] == ["Set14/a", "Set5/a"]
    assert found.sets == ["Set14", "Set5"]
    make(tmp_path, ["b.png"])
    assert [name for name, _ in read_method(tmp_path, plain_sets=True).files] == ["b"]


@pytest.mark.parametrize("place", ["", "SR/", "visualization/Vid4/", "Vid4/"])
def test_frames_are_in_folders_of_their_clips(place, tmp_path):
    make(tmp_path, [f"{place}city/0.png", f"{place}city/1.png", f"{place}walk/0.png"])
    found = read_method(tmp_path, plain_sets=True, clips=True)
    before = "Vid4/" if "Vid4" in place else ""
    assert [name for name, _ in found.files] == [
        f"{before}{f}" for f in ("city/0", "city/1", "walk/0")
    ]
    assert list(found.sets) == ["Vid4"] * bool(before)


def test_an_ending_that_not_all_files_share_stays(tmp_path):
    make(tmp_path / "gan", ["a_x4.png", "b.png", "c_gan.png"])
    assert set(match_contents({0: read_method(tmp_path / "gan")})[0]) == {"a_x4", "b", "c"}


def test_an_ending_of_contents_stays(tmp_path):
    make(tmp_path / "x", ["a_day.png", "b_night.png"])
    make(tmp_path / "y", ["a_day.png", "c_day.png"])
    found = match_contents({name: read_method(tmp_path / name) for name in "xy"})
    assert set(found["y"]) == {"a_day", "c_day"}


@pytest.mark.answers(
    "Names and lists", "two files of a method for one content", "error: names both; keep one"
)
def test_two_files_for_one_content(tmp_path):
    make(tmp_path / "gan", ["a.png", "a.jpg"])
    with pytest.raises(SriqaError, match=r"a\.jpg and .*a\.png: .* 'a'; keep one"):
        match_contents({0: read_method(tmp_path / "gan")})


@pytest.mark.answers(
    "Names and lists",
    "a method named `..`, or with a slash, in a ranking or an option",
    "error: name a folder",
)
@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "/a"])
def test_methods_do_not_lead_out_of_the_folder(name, tmp_path):
    with pytest.raises(SriqaError, match=f"method is '{name}'; name a folder"):
        method_folder(tmp_path, name)


def test_a_ranking_does_not_lead_out_of_the_folder(tmp_path):
    (tmp_path / "ranking.csv").write_text("method,mu\n..,1\ngan,0\n")
    with pytest.raises(SriqaError, match=r"method is '\.\.'"):
        read_sr_results(tmp_path, tmp_path / "ranking.csv", skip_missing=True)


@pytest.mark.parametrize("method", ["..", "", "../sr/gan", "/etc"])
def test_a_selected_method_does_not_lead_out_of_the_folder(method, sr):
    make(sr / "gan", LAYOUTS["plain"])
    make(sr.parent / "lr", LAYOUTS["plain"])
    with pytest.raises(SriqaError, match=f"method is '{method}'; name a folder"):
        find_contents(sr, sr.parent / "lr", ["gan", method])


def test_possible_contents_have_every_ending_cut():
    assert {"0801", "0801x4", "0801x4_gan"} <= possible_contents("0801x4_gan")


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder `sets/a` with an image, and `sets/in`, which must not be read."""
    make(tmp_path / "sets" / "a", ["x.png"])
    make(tmp_path / "sets" / "in", ["y.png"])

    def refusing(scan):
        def refused(path="."):
            if os.path.basename(path) == "in":
                raise PermissionError(13, "Permission denied", str(path))
            return scan(path)

        return refused

    for name in ("listdir", "scandir"):  # root may read any folder
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    return tmp_path / "sets"


@pytest.mark.answers(
    "Names and lists",
    "a method's folder, or one of test images, that must not be read",
    "error: permission denied; nothing in it is passed over",
)
def test_a_folder_that_cannot_be_read_is_no_empty_one(locked):
    readers = (
        lambda: images_in(locked / "in"),
        lambda: images_below(locked),
        lambda: read_method(locked / "in"),
        lambda: find_results([locked / "a", locked / "in"]),
    )
    for read in readers:
        with pytest.raises(SriqaError, match="in: Permission denied; make the folder readable"):
            read()


def test_images_below_are_those_of_every_folder(tmp_path):
    make(tmp_path, ["a/x.png", "a/b/y.png", "z.png", ".hidden.png"])
    (tmp_path / "folder.png").mkdir()
    assert {path.name for path in images_below(tmp_path)} == {"x.png", "y.png", "z.png"}


@pytest.mark.answers(
    "Names and lists",
    "a folder of folders where one method's results are meant",
    "error: no images, but N folders; give one of these",
)
def test_folders_in_place_of_images_are_pointed_at(tmp_path):
    make(tmp_path, ["results/a/x.png", "results/b/x.png"])
    with pytest.raises(SriqaError, match="results: no images, but 2 folders; give one of these"):
        find_images(tmp_path / "results")
    assert "give one" not in str(no_images(tmp_path / "none"))
