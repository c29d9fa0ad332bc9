import shutil

import numpy as np
import pytest

from sriqa_metric.calibrate.data.sr_results import (
    find_images,
    pixels,
    read_ranking,
    read_sr_results,
)
from sriqa_metric.errors import SriqaError


@pytest.fixture
def sr(made_data, tmp_path):
    return shutil.copytree(made_data / "sr", tmp_path / "sr")


def test_results_are_found_by_method_and_content(sr):
    (sr / "LR").mkdir()  # folders that the ranking does not name are left alone
    found = read_sr_results(sr, sr / "ranking.csv")
    assert found.methods == ("sharp", "soft", "dull")
    assert found.contents == tuple(f"c{i}" for i in range(6))
    assert found.mu.tolist() == [0.0, -1.5, -4.0]
    assert found.images("soft")[2] == sr / "soft" / "c2.png"


def test_missing_contents_and_methods_are_named(sr):
    (sr / "soft" / "c3.png").unlink()
    with pytest.raises(SriqaError, match=r"1 are missing: soft/c3"):
        read_sr_results(sr, sr / "ranking.csv")
    shutil.rmtree(sr / "dull")
    with pytest.raises(SriqaError, match=r"dull: no such folder, but the ranking names 'dull'"):
        read_sr_results(sr, sr / "ranking.csv")


def test_methods_that_the_folder_lacks_are_left_out_on_request(sr):
    shutil.rmtree(sr / "dull")
    found = read_sr_results(sr, sr / "ranking.csv", skip_missing=True)
    assert found.methods == ("sharp", "soft")
    assert found.left_out == ("dull",)
    shutil.rmtree(sr / "soft")
    with pytest.raises(SriqaError, match="at least two"):
        read_sr_results(sr, sr / "ranking.csv", skip_missing=True)


def test_contents_of_a_test_set_are_left_out_whatever_its_names(sr, tmp_path):
    tests = tmp_path / "tests"
    tests.mkdir()
    for name in ("c0x4.png", "c1_any_run.png", "c30.png", ".c4.png", "c5.txt"):
        (tests / name).touch()
    found = read_sr_results(sr, sr / "ranking.csv", [tests])
    assert found.contents == ("c2", "c3", "c4", "c5")


def test_a_method_never_leads_out_of_the_folder(sr):
    (sr / "ranking.csv").write_text("method,mu\nsharp,1\n../sr/soft,0\n")
    with pytest.raises(SriqaError, match=r"'\.\./sr/soft'"):
        read_sr_results(sr, sr / "ranking.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,mu\na,1\nb,2\n", "no column method"),
        ("method,mu\na,1\nb,high\n", "line 3: mu is 'high'"),
        ("method,mu\na,1\nb,nan\n", "line 3: mu is 'nan'"),
        ("method,mu\na,1\na,2\n", "line 3: 'a' is named twice"),
        ("method,mu\na,1\n", "at least two methods, found 1"),
        ("method,mu\na,1\nb\n", "line 3: mu is missing"),
    ],
)
def test_wrong_rankings_are_quoted(text, message, tmp_path):
    path = tmp_path / "ranking.csv"
    path.write_text(text)
    with pytest.raises(SriqaError, match=message):
        read_ranking(path)


def test_folders_without_images_are_named(tmp_path):
    with pytest.raises(SriqaError, match="no images; looked for"):
        find_images(tmp_path)
    with pytest.raises(SriqaError, match="no such folder"):
        find_images(tmp_path / "none")


def test_pixels_are_8_bit_rgb(made_data):
    image = pixels(made_data / "photos" / "0.png")
    assert image.shape == (240, 240, 3)
    assert image.dtype == np.uint8
