"""Results matched by data set and content."""

from pathlib import Path

import pytest

from sriqa_metric.compare.matching import Unmatched, find_results
from sriqa_metric.errors import SriqaError
from tests.compare.conftest import one
from tests.conftest import EXAMPLES


def test_folders(here):
    here(
        "bicubic/b.png", "bicubic/a.PNG", "gan/a.webp", "gan/b.jpg", "gan/notes.txt", "gan/s/c.png"
    )
    found = one("bicubic", Path("gan"))
    assert found.methods == ("bicubic", "gan")
    assert found.contents == ("a", "b")
    assert found.paths == (("bicubic/a.PNG", "bicubic/b.png"), ("gan/a.webp", "gan/b.jpg"))
    assert found.unmatched == ()


def test_patterns_of_the_examples():
    methods = ("bicubic", "dat_light_x4", "realesrgan_x4plus")
    found = one(*(f"{EXAMPLES}/*_{method}.png" for method in methods))
    assert found.methods == methods
    assert found.contents == ("astronaut", "chelsea", "coffee")
    assert found.paths[1][2] == f"{EXAMPLES}/coffee_dat_light_x4.png"


@pytest.mark.answers("Names and lists", "one method alone, in `sriqa-compare`", "its scores")
def test_one_method(here):
    here("x/a.png", "x/b.png")
    found = one("x")
    assert (found.methods, found.contents, found.unmatched) == (("x",), ("a", "b"), ())


def test_no_method():
    with pytest.raises(SriqaError, match="give a folder or a quoted pattern for each method"):
        find_results([])


def test_unmatched_contents_say_who_lacks_them(here):
    here("x/a.png", "x/b.png", "y/a.png", "y/c.png", "z/a.png", "z/b.png")
    found = one("x", "y", "z")
    assert found.contents == ("a",)
    assert found.unmatched == (Unmatched("b", ("y",)), Unmatched("c", ("x", "z")))


def test_two_files_of_one_content(here):
    here("x/a.png", "x/a.jpg", "y/a.png")
    with pytest.raises(SriqaError, match=r"x/a\.jpg and x/a\.png.* x .*'a'"):
        one("x", "y")
    here("z/b.png", "z/b_z.png")
    with pytest.raises(SriqaError, match=r"z/b\.png and z/b_z\.png"):
        one("z", "y")


SETS = ("Set14", "Set5", "Urban100")


@pytest.mark.answers(
    "Names and lists",
    "results in `<method>/visualization/<set>/` or `<method>/<set>/`",
    "matched within each data set",
)
def test_data_sets(here):
    here(*(f"ours/visualization/{each}/{name}_run.png" for each in SETS for name in "ab"))
    here(*(f"swinir/{each}/{name}x4_SwinIR.png" for each in SETS for name in "ab"))
    found = find_results(["ours", "swinir"])
    assert tuple(each.data_set for each in found) == SETS
    for each in found:
        assert each.methods == ("ours", "swinir")
        assert each.contents == ("a", "b")
        assert each.unmatched == each.references == each.clips == ()
    assert found[1].paths == (
        ("ours/visualization/Set5/a_run.png", "ours/visualization/Set5/b_run.png"),
        ("swinir/Set5/ax4_SwinIR.png", "swinir/Set5/bx4_SwinIR.png"),
    )


def test_what_all_files_share_is_asked_of_each_data_set(here):
    here("x/Set5/ax4.png", "x/Set5/bx4.png", "x/U/c_SRF_4.png", "x/U/d_SRF_4.png")
    here("y/Set5/a.png", "y/Set5/b.png", "y/U/c.png", "y/U/d.png")
    assert [each.contents for each in find_results(["x", "y"])] == [("a", "b"), ("c", "d")]


def test_images_in_no_set_are_of_the_only_one(here):
    here("x/a.png", "y/Set5/a.png", "z/visualization/Set5/a.png")
    assert one("x", "y", "z").data_set == "Set5"
    assert one("x").data_set == ""
    assert one("y").data_set == "Set5"


@pytest.mark.answers(
    "Names and lists",
    "a data set that one method lacks, in `sriqa-compare`",
    "left out, which is told in one line; the other sets are compared",
)
def test_a_data_set_that_a_method_lacks_is_one_line(here):
    here(*(f"x/{each}/{name}.png" for each in SETS for name in range(40)))
    here(*(f"y/{each}/{name}.png" for each in SETS[:2] for name in range(40)), "y/Urban100/log")
    first, second = find_results(["x", "y"])
    assert (first.data_set, second.data_set) == SETS[:2]
    assert first.unmatched == (Unmatched("Urban100 (40 contents)", ("y",)),)
    assert second.unmatched == ()
    assert "x/Urban100/0.png" in first.files


@pytest.mark.answers(
    "Names and lists", "methods without a data set in common", "error: what each has"
)
def test_no_data_set_in_common(here):
    here("x/Set5/a.png", "y/Set14/a.png", "z/a.png")
    with pytest.raises(SriqaError) as error:
        find_results(["x", "y", "z"])
    assert "x has Set5; y has Set14; z has images in no data set; give the folder" in str(
        error.value
    )


@pytest.mark.answers(
    "Names and lists",
    "`--gt DIR` where results are in data sets, and in none",
    "`DIR/<set>/`; `DIR`; matched as a method's files are",
)
def test_ground_truth(here):
    here("x/0801x4_SwinIR.png", "x/0802x4_SwinIR.png", "HR/0801.png", "HR/0802.png", "HR/0803.png")
    found = one("x", gt="HR")
    assert found.contents == ("0801", "0802")
    assert found.references == ("HR/0801.png", "HR/0802.png")
    assert found.unmatched == ()
    assert "HR/0803.png" in found.files
    here(*(f"y/{each}/{name}.png" for each in SETS for name in "ab"))
    here(*(f"data/{each}/HR/{name}.png" for each in SETS[:2] for name in "ab"))
    found = find_results(["y"], gt=[Path("data")])
    assert [each.references for each in found] == [
        ("data/Set14/HR/a.png", "data/Set14/HR/b.png"),
        ("data/Set5/HR/a.png", "data/Set5/HR/b.png"),
        (),
    ]


@pytest.mark.answers(
    "Names and lists",
    "a content without ground truth, in `sriqa-compare --gt`",
    "left out for all metrics, and told",
)
def test_a_content_without_ground_truth_is_unmatched(here):
    here("x/a.png", "x/b.png", "x/c.png", "y/a.png", "y/b.png", "hr/a.png", "hr/c.png")
    found = one("x", "y", gt="hr")
    assert found.contents == ("a",)
    assert found.unmatched == (
        Unmatched("b", ("ground truth",)),
        Unmatched("c", ("y",)),
    )


@pytest.mark.answers(
    "Names and lists",
    "LR and HR images in one folder (`img_001_SRF_4_LR.png`), as ground truth",
    "error: a pattern can pick them; `--gt 'DIR/*_HR.png'` does",
)
def test_ground_truth_beside_other_images_is_picked_by_a_pattern(here):
    here(*(f"gt/img_00{k}_SRF_4_{kind}.png" for k in (1, 2) for kind in ("LR", "HR")))
    here("x/img_001_SRF_4_ours.png", "x/img_002_SRF_4_ours.png")
    with pytest.raises(SriqaError, match=r"these have img_001, img_002; it has .*'gt/\*_HR.png'"):
        find_results(["x"], gt="gt")
    assert one("x", gt="gt/*_HR.png").references == (
        "gt/img_001_SRF_4_HR.png",
        "gt/img_002_SRF_4_HR.png",
    )


def test_ground_truth_has_no_method_s_name(here):
    here("ground truth/a.png", "y/a.png", "hr/a.png")
    found = one("ground truth", "y", gt="hr")
    assert (found.methods, found.references) == (("ground truth", "y"), ("hr/a.png",))


def test_clips(here):
    here(
        *(
            f"{method}/{clip}/{k:02}_{method}.png"
            for method in "xy"
            for clip in "ab"
            for k in (0, 1)
        )
    )
    here("gt/GT/a/00.png", "gt/GT/a/01.png", "gt/GT/b/00.png", "gt/GT/b/01.png", "gt/lr/a/00.png")
    found = one("x", "y", clips=True, gt="gt")
    assert found.contents == ("a/00", "a/01", "b/00", "b/01")
    assert found.clips == ("a", "a", "b", "b")
    assert found.paths[0][2] == "x/b/00_x.png"
    assert found.references[3] == "gt/GT/b/01.png"
    assert [each.data_set for each in find_results(["x", "y"])] == ["a", "b"]


def test_clips_in_data_sets(here):
    here(*(f"x/{each}/city/{k}.png" for each in SETS for k in (0, 1)))
    here(*(f"y/visualization/{each}/city/{k}_r.png" for each in SETS for k in (0, 1)))
    for found, name in zip(find_results(["x", "y"], clips=True), SETS, strict=True):
        assert (found.data_set, found.contents) == (name, ("city/0", "city/1"))
        assert found.clips == ("city", "city")


@pytest.mark.answers(
    "Names and lists",
    "a clip that one method lacks, or frames of it, with `--clips`",
    "the frames that all have are compared; a whole clip is told in one line",
)
def test_frames_that_a_method_lacks(here):
    here(*(f"x/{clip}/{k}.png" for clip in "abc" for k in range(9)))
    here(*(f"y/a/{k}.png" for k in range(9)), *(f"y/b/{k}.png" for k in range(8)))
    found = one("x", "y", clips=True)
    assert len(found.contents) == len(found.clips) == 17
    assert found.unmatched == (Unmatched("b/8", ("y",)), Unmatched("c (9 frames)", ("y",)))


@pytest.mark.answers(
    "Names and lists", "`--clips` where images are in no folders of clips", "error: leave it out"
)
def test_images_are_no_clips(here):
    here("x/a.png", "y/c/a.png")
    with pytest.raises(SriqaError, match=r"^x: no clips, .*; it has 1 image and 0 folders; leave"):
        find_results(["x", "y"], clips=True)


@pytest.mark.answers(
    "Names and lists",
    "methods whose files have no content in common",
    "error: some names of each; drop their ends with --suffix",
)
def test_no_content_in_common(here):
    here("x/a.png", "x/b.png", *(f"y/{k}.png" for k in range(5)))
    with pytest.raises(SriqaError) as error:
        find_results(["x", "y"])
    assert "x has a, b; y has 0, 1, 2 and 2 more; drop" in str(error.value)
    here("p/Set5/a.png", "q/Set5/b.png", "p/Set14/a.png", "q/Set14/a.png")
    with pytest.raises(SriqaError, match=r"^Set5: no content"):
        find_results(["p", "q"])
