"""Labelled sets in the exact layouts of their owners, whole and broken."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriqa_metric.calibrate.data.mos_sets import (
    LabelledImages,
    read_labelled,
    require_images,
    split_by_content,
    write_splits,
)
from sriqa_metric.csv_files import read_list
from sriqa_metric.errors import SriqaError

KONIQ = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set"
LISTS = {
    "koniq10k": {
        "koniq10k_distributions_sets.csv": f"{KONIQ}\n"
        "1.jpg,0,0,0,1,0,105,77.5,0.5,training\n"
        "2.jpg,0,0,0,1,0,96,68.7,0.6,test\n"
        "3.jpg,0,0,1,0,0,99,50,0.6,validation\n"
    },
    "biq2021": {
        "Train (Images and MOS).csv": "Image Name,MOS,,\nss01 (1).jpg,0.5,,\nss02 (1).jpg,0.25,,\n",
        "Test (Images and MOS).csv": "Image Name,MOS\nss03 (1).jpg,1\n",
    },
    "kadid10k": {
        "dmos.csv": "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4.57,0.5\n"
        "I01_01_02.png,I01.png,4.33,0.5\nI02_01_01.png,I02.png,1,0.5\n"
    },
    "pipal": {
        "Train_Label/A0001.txt": "A0001_00_00.bmp,1520.0648\nA0001_00_01.bmp,1437.0798\n",
        "Train_Label/A0002.txt": "A0002_00_00.bmp,1400\n",
        "val_label.txt": "A0201_00_00.bmp,1300.5\n",
    },
    "qads": {"mos_with_names.txt": "0.2517  img01_2_1.bmp\n0.5  img01_3_2.bmp\n1  img02_2_1.bmp\n"},
    "ma17": {
        "mos_with_names.txt": "Shan08\\sf2\\0.8\\12074.bmp 3.5\nYang10/sf2/0.8/12074.bmp,4\n"
        "Yang10/sf2/0.8/3096.bmp 9.25\n"
    },
    "mos": {
        "labels.csv": "path,mos,content,split\na/1.png,3,x,train\nb/1.png,4,x,train\n"
        "2.png,5,y,test\n"
    },
}  # fmt: skip
FOUND = {
    "koniq10k": (["1024x768/1.jpg", "1024x768/2.jpg"], [77.5, 68.7, 50], 3),
    "biq2021": (["Images/ss01 (1).jpg", "Images/ss02 (1).jpg"], [0.5, 0.25, 1], 3),
    "kadid10k": (["images/I01_01_01.png", "images/I01_01_02.png"], [4.57, 4.33, 1], 2),
    "pipal": (["Train_Dist/A0001_00_00.bmp"], [1520.0648, 1437.0798, 1400, 1300.5], 3),
    "qads": (["super-resolved_images/img01_2_1.bmp"], [0.2517, 0.5, 1], 2),
    "ma17": (["Shan08/sf2/0.8/12074.bmp", "Yang10/sf2/0.8/12074.bmp"], [3.5, 4, 9.25], 2),
    "mos": (["a/1.png", "b/1.png", "2.png"], [3, 4, 5], 2),
}


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize("kind", LISTS)
def test_layouts(kind, tmp_path):
    found = read_labelled(kind, write(tmp_path, LISTS[kind]))
    paths, mos, contents = FOUND[kind]
    assert [str(p.relative_to(tmp_path)) for p in found.paths[: len(paths)]] == paths
    assert found.mos.tolist() == mos
    assert len(set(found.contents)) == contents
    assert len(found.paths) == len(found.mos) == len(found.contents)
    with pytest.raises(SriqaError, match=rf"missing {len(mos)} of {len(mos)} images: .*"):
        require_images(found.name, found.paths)


@pytest.mark.parametrize("kind", LISTS)
def test_a_wrong_folder_says_what_was_looked_for(kind, tmp_path):
    first = next(iter(LISTS[kind])).replace("A0001", "*")
    with pytest.raises(SriqaError) as caught:
        read_labelled(kind, tmp_path)
    assert f"label files of {kind}; looked for {first}" in str(caught.value)
    with pytest.raises(SriqaError, match=f"none: no such folder of {kind}"):
        read_labelled(kind, tmp_path / "none")


def test_published_splits(tmp_path):
    koniq = read_labelled("koniq10k", write(tmp_path / "k", LISTS["koniq10k"]))
    assert [path.name for path in koniq.part("test").paths] == ["2.jpg"]
    assert koniq.part("training").mos.tolist() == [77.5]
    pipal = read_labelled("pipal", write(tmp_path / "p", LISTS["pipal"]))
    assert [str(p.relative_to(tmp_path / "p")) for p in pipal.part("validation").paths] == [
        "Val_Dist/A0201_00_00.bmp"
    ]
    assert len(pipal.part("training").paths) == 3
    with pytest.raises(SriqaError, match="no split 'test'; there are: training, validation"):
        pipal.part("test")
    kadid = read_labelled("kadid10k", write(tmp_path / "d", LISTS["kadid10k"]))
    with pytest.raises(SriqaError, match="there are: none; see split_by_content"):
        kadid.part("test")


def test_images_are_found_in_either_place(tmp_path):
    koniq = write(tmp_path / "k", {**LISTS["koniq10k"], "512x384/1.jpg": ""})
    assert read_labelled("koniq10k", koniq).paths[0] == koniq / "512x384" / "1.jpg"
    pipal = write(tmp_path / "p", {**LISTS["pipal"], "Distortion_3/A0002_00_00.bmp": ""})
    assert read_labelled("pipal", pipal).paths[2] == pipal / "Distortion_3" / "A0002_00_00.bmp"


@pytest.mark.parametrize(
    ("kind", "file", "text", "message"),
    [
        ("koniq10k", None, "image_name,MOS\n1.jpg,3\n", "no column set; expected image_name"),
        ("koniq10k", None, f"{KONIQ}\n1.jpg,,,,,,,high,,test\n", "line 2: MOS is 'high', not a"),
        ("koniq10k", None, f"{KONIQ}\n1.jpg,,,,,,,,,test\n", "line 2: MOS is missing"),
        ("koniq10k", None, f"{KONIQ}\n", "no labels, only a header"),
        ("kadid10k", None, "dist_img,ref_img,dmos\na,b,1\na,b,2\n", "'a' is named twice"),
        ("kadid10k", None, "dist_img,ref_img,dmos\na,b,nan\n", "line 2: dmos is 'nan'"),
        ("pipal", "val_label.txt", "a.bmp\n", "val_label.txt: line 1: 'a.bmp' is not a name and"),
        ("pipal", "val_label.txt", "a.bmp,1\na.bmp,2\n", "line 2: 'a.bmp' is named twice"),
        ("qads", None, "1 2\n", "line 1: '1 2' is not a name and a number"),
        ("qads", None, "\n", "no labels in it"),
        ("ma17", None, "x/1.bmp inf\n", "line 1: 'x/1.bmp inf' is not a name and a number"),
        ("mos", None, "path\na.png\n", "no column mos; expected path,mos"),
    ],
)  # fmt: skip
def test_broken_labels_are_quoted(kind, file, text, message, tmp_path):
    files = {file or next(iter(LISTS[kind])): text}
    with pytest.raises(SriqaError) as caught:
        read_labelled(kind, write(tmp_path, files))
    assert message in str(caught.value)


def test_files_that_are_no_text(tmp_path):
    for kind, name in (("qads", "mos_with_names.txt"), ("kadid10k", "dmos.csv")):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00")
        with pytest.raises(SriqaError, match=name):
            read_labelled(kind, tmp_path)


def test_unknown_kinds():
    with pytest.raises(SriqaError, match="unknown kind of labelled set 'live'; known: koniq10k"):
        read_labelled("live", None)


def test_the_files_people_have(real_data, tmp_path):
    labels = real_data / "labels"
    write(tmp_path, {"koniq10k_distributions_sets.csv": ""})
    head = (labels / "koniq10k_distributions_sets.head.csv").read_text()
    (tmp_path / "koniq10k_distributions_sets.csv").write_text(head)
    koniq = read_labelled("koniq10k", tmp_path)
    assert len(koniq.paths) == 29
    assert koniq.mos[0] == 77.3836206897
    assert set(koniq.splits) == {"training", "validation", "test"}


@given(
    st.lists(st.integers(0, 99), min_size=10, max_size=40, unique=True),
    st.integers(1, 9),
    st.integers(0, 2**32),
)
def test_a_split_keeps_contents_whole(contents, tenths, seed):
    names = tuple(f"c{k}" for k in contents * 2)
    images = LabelledImages("made", tuple(map(str, names)), np.zeros(len(names)), names)
    shares = {"training": tenths / 10, "validation": 1 - tenths / 10}
    found = split_by_content(images, shares, seed)
    sides = dict(zip(names, found.splits, strict=True))
    assert all(sides[name] == split for name, split in zip(names, found.splits, strict=True))
    share = sum(split == "training" for split in sides.values()) / len(sides)
    assert abs(share - tenths / 10) <= 0.5 / len(sides) + 1e-9
    assert split_by_content(images, shares, seed).splits == found.splits


def test_wrong_shares():
    images = LabelledImages("made", (), np.zeros(3), ("a", "b", "c"))
    for shares in ({"a": 0.5, "b": 0.6}, {"a": 1.5, "b": -0.5}, {}):
        with pytest.raises(SriqaError, match="must be positive and sum to one"):
            split_by_content(images, shares, 0)
    with pytest.raises(SriqaError, match="made: 3 contents, too few"):
        split_by_content(images, {"a": 0.9, "b": 0.1}, 0)


def test_splits_are_written_down(tmp_path):
    images = read_labelled("mos", write(tmp_path, LISTS["mos"]))
    write_splits(tmp_path / "splits.csv", split_by_content(images, {"a": 0.5, "b": 0.5}, 0))
    with (tmp_path / "splits.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["content"] for row in rows] == ["x", "x", "y"]
    assert {row["split"] for row in rows} == {"a", "b"}


def test_lists_take_either_order(tmp_path):
    (tmp_path / "list").write_text("name,MOS\n a.png , 1.5 \n-2e1\tb.png\n")
    assert read_list(tmp_path / "list") == {"a.png": 1.5, "b.png": -20.0}


def test_biq2021_finds_files_whose_names_differ_in_case(tmp_path):
    root = write(tmp_path, {**LISTS["biq2021"], "Images/ss02 (1).JPG": ""})
    found = read_labelled("biq2021", root)
    assert found.paths[1] == root / "Images" / "ss02 (1).JPG"
    assert found.splits == ("training", "training", "test")
