"""What lies where in a method's folder, and what its contents are called, for every reader."""

import pytest
from PIL import Image

from sriqa_metric.calibrate.data.sr_results import read_sr_results
from sriqa_metric.calibrate.evaluation.ranked import read_ranked
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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_read_alike_by_all(layout, tmp_path):
    sr, contents = tmp_path / "sr", ("000", "001")
    make(sr / "gan", LAYOUTS[layout])
    make(sr / "plain", LAYOUTS["plain"])
    make(tmp_path / "lr", LAYOUTS["scale"])
    (sr / "ranking.csv").write_text("method,mu\nplain,1\ngan,0\n")
    assert tuple(match_contents({"": read_method(sr / "gan")})[""]) == contents
    assert find_results([sr / "gan", sr / "plain"]).contents == contents
    results = read_sr_results(sr, sr / "ranking.csv")
    assert results.contents == contents
    assert read_ranked(sr).paths == tuple(
        results.paths[m, c] for m in results.methods for c in contents
    )
    assert find_contents(sr, tmp_path / "lr").contents == contents


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


def test_possible_contents_have_every_ending_cut():
    assert {"0801", "0801x4", "0801x4_gan"} <= possible_contents("0801x4_gan")
