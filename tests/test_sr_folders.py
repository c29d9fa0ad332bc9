"""What lies where in a method's folder, and what its contents are called, for every reader."""

from pathlib import Path

import pytest
from PIL import Image

from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.data.splits import read_data
from sriqa_metric.calibrate.data.sr_results import read_sr_results
from sriqa_metric.calibrate.evaluation.ranked import read_ranked
from sriqa_metric.calibrate.pipelines import adapted
from sriqa_metric.calibrate.selection.contents import find_contents
from sriqa_metric.compare.matching import find_results
from sriqa_metric.errors import SriqaError
from sriqa_metric.sr_folders import match_contents, method_folder, possible_contents, read_method

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
    compared = find_results([sr / "gan", sr / "plain"])
    selected = find_contents(sr, lr)
    trained = read_data(load_config("sriqa_lite", run)).full
    adapted_to = read_data(adapted("sriqa_lite", sr, sr / "ranking.csv")).full
    contents = sr.parent / "contents.txt"
    contents.write_text("\n".join(trained.contents))
    ranked = read_ranked(sr, contents).paths
    keys = [(m, c) for m in trained.methods for c in trained.contents]
    return {
        "sriqa-compare": {
            (method, content): Path(path)
            for method, paths in zip(compared.methods, compared.paths, strict=True)
            for content, path in zip(compared.contents, paths, strict=True)
        },
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


def test_an_ending_that_not_all_files_share_stays(tmp_path):
    make(tmp_path / "gan", ["a_x4.png", "b.png", "c_gan.png"])
    assert set(match_contents({0: read_method(tmp_path / "gan")})[0]) == {"a_x4", "b", "c"}


def test_an_ending_of_contents_stays(tmp_path):
    make(tmp_path / "x", ["a_day.png", "b_night.png"])
    make(tmp_path / "y", ["a_day.png", "c_day.png"])
    found = match_contents({name: read_method(tmp_path / name) for name in "xy"})
    assert set(found["y"]) == {"a_day", "c_day"}


def test_two_files_for_one_content(tmp_path):
    make(tmp_path / "gan", ["a.png", "a.jpg"])
    with pytest.raises(SriqaError, match=r"a\.jpg and .*a\.png: .* 'a'; keep one"):
        match_contents({0: read_method(tmp_path / "gan")})


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
