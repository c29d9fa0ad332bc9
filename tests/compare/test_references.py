"""Which files are the ground truth."""

from pathlib import Path

import pytest

from sriqa_metric.compare.references import read_references
from sriqa_metric.errors import SriqaError


def read(*arguments, sets=("",), known=None, clips=False):
    """Data set -> its files."""
    found = read_references(arguments, sets, known or sets, clips)
    return {each: [str(path) for _, path in source.files] for each, source in found.items()}


@pytest.mark.answers(
    "Names and lists",
    "ground truth of a data set in `GT/`, `GTmod12/`, `HR/` or `original/`, `--gt`",
    "found in this order, where no image lies beside these folders",
)
@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["a.png", "HR/a.png"], "a.png"),
        (["HR/a.png", "LR/a.png"], "HR/a.png"),
        (["GTmod12/a.png", "LRbicx4/a.png", "original/a.png"], "GTmod12/a.png"),
        (["original/a.png", "LRbicx4/a.png"], "original/a.png"),
        (["HR/notes.txt", "original/a.png"], "original/a.png"),
    ],
)
def test_usual_folders(here, files, found):
    here(*(f"data/Set5/{file}" for file in files))
    assert read("data/Set5") == {"": [f"data/Set5/{found}"]}
    assert read("data", sets=["Set5"]) == {"Set5": [f"data/Set5/{found}"]}
    assert read("data/Set5", sets=["Set5"]) == {"Set5": [f"data/Set5/{found}"]}
    assert read("Set5=data/Set5", sets=["Set5"]) == {"Set5": [f"data/Set5/{found}"]}


def test_sets_in_a_usual_folder(here):
    here("gt/HR/Set5/a.png", "gt/HR/Set14/b.png", "gt/LR/Set5/a.png")
    assert read("gt", sets=["Set5", "Set14"]) == {
        "Set5": ["gt/HR/Set5/a.png"],
        "Set14": ["gt/HR/Set14/b.png"],
    }


def test_each_set_may_have_its_own(here):
    here("DIV2K_valid_HR/0801.png", "B100/HR/1.png", "data/Set5/a.png", "data/B100/other.png")
    sets = ["B100", "DIV2K", "Set5", "RealSR"]
    found = read("DIV2K=DIV2K_valid_HR", "data", "B100=B100", sets=sets)
    assert found == {
        "B100": ["B100/HR/1.png"],
        "DIV2K": ["DIV2K_valid_HR/0801.png"],
        "Set5": ["data/Set5/a.png"],
    }
    some = ["Set5=data/Set5", "B100=B100"]
    assert read(*some, sets=["B100"], known=["B100", "Set5"])["B100"] == found["B100"]
    with pytest.raises(SriqaError, match="no ground truth of B100; some method lacks every other"):
        read(some[0], sets=["B100"], known=["B100", "Set5"])


def test_patterns(here):
    here("d/Set5/x4/a_HR.png", "d/Set14/x4/b_HR.png", "d/Set5/x4/a_LR.png", "f/a_HR.png")
    pattern = "d/*/x4/*_HR.png"
    assert read(pattern, sets=["Set14", "Set5"]).keys() == {"Set14", "Set5"}
    assert read("Set5=d/Set5/*/*_HR.png", sets=["Set14", "Set5"]) == {
        "Set5": ["d/Set5/x4/a_HR.png"]
    }
    for sets in ([""], ["Set5"]):
        assert read("f/*_HR.png", sets=sets) == {sets[0]: ["f/a_HR.png"]}
    with pytest.raises(SriqaError, match="no ground truth of B100"):
        read(pattern, sets=["B100"])
    with pytest.raises(SriqaError, match="stand for Set14, Set5"):
        read(pattern)


def test_clips(here):
    here("REDS4/GT/000/0.png", "REDS4/sharp_bicubic/000/0.png", "d/Vid4/city/0.png")
    assert read("REDS4", clips=True) == {"": ["REDS4/GT/000/0.png"]}
    assert read("d", sets=["Vid4"], clips=True) == {"Vid4": ["d/Vid4/city/0.png"]}


@pytest.mark.answers(
    "Names and lists", "`--gt` without images, or not there", "error: what is there"
)
@pytest.mark.parametrize(
    ("arguments", "sets", "told"),
    [
        (["none"], [""], "none: no such folder"),
        (["data/Set5/a.png"], [""], "is a file"),
        (["data"], [""], "it has 2 folders: Set14, Set5; give that of the ground truth"),
        (["empty"], [""], "it has 0 folders"),
        (["data"], ["B100"], "data: no ground truth of B100, which would be in B100/; it has 2"),
        (["Set5=empty"], ["Set5"], "empty: no images, neither in it nor in a folder GT"),
        (["flat"], ["Set5", "Set14"], "flat: no ground truth of Set5, Set14"),
        (["flat", "data"], ["Set5"], "data: the ground truth of all data sets is flat already"),
        (["Set5=flat", "Set5=data"], ["Set5"], "the ground truth of Set5 is flat already"),
        (["Set6=flat"], ["Set5"], "Set6=flat: no results are of a data set 'Set6'; there are Set5"),
        (
            ["Set5=flat"],
            [""],
            "no results are of a data set 'Set5'; theirs has no name: write PATH",
        ),
    ],
)
def test_errors(here, arguments, sets, told):
    here("data/Set5/a.png", "data/Set14/b.png", "empty/notes.txt", "flat/a.png")
    with pytest.raises(SriqaError) as error:
        read(*arguments, sets=sets)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_read(here, monkeypatch):
    here("data/Set5/a.png")

    def listdir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.listdir", listdir)
    with pytest.raises(SriqaError, match="data: Permission denied; make the folder readable"):
        read(str(Path("data")))
