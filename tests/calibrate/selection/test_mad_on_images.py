"""The selection on small made results: measuring, resuming, folders, the contact sheet."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.data.image_pairs import read_pairs, write_pairs
from sriqa_metric.calibrate.selection import distances as mad_distances
from sriqa_metric.calibrate.selection.contact_sheet import draw_sheet
from sriqa_metric.calibrate.selection.contents import Contents, find_contents
from sriqa_metric.calibrate.selection.distances import Distances, measure
from sriqa_metric.calibrate.selection.dists import Dists
from sriqa_metric.calibrate.selection.mad import (
    common_root,
    select_pairs,
)
from sriqa_metric.calibrate.study.image_files import ImageFiles
from sriqa_metric.errors import SriqaError
from tests.calibrate.selection.test_dists import random_state
from tests.calibrate.selection.test_mad import CONTENTS, METHODS, made_contents


def make_results(root: Path, contents=CONTENTS, order=METHODS) -> Path:
    """`sr/<method>/<content>.png` of 16x16 pixels and `lr/<content>.png`; the order is a detail."""
    (root / "lr").mkdir(parents=True)
    for method in order:
        (root / "sr" / method).mkdir(parents=True)
        for content in contents:
            rng = np.random.default_rng(CONTENTS.index(content))
            lr = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
            lr.save(root / "lr" / f"{content}.png")
            noise = rng.normal(size=(16, 16, 3)) * 20 * METHODS.index(method)
            pixels = np.asarray(lr.resize((16, 16))) + noise
            result = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            result.save(root / "sr" / method / f"{content}.png")
    return root


@pytest.fixture
def data(tmp_path) -> Path:
    return make_results(tmp_path / "data")


@pytest.fixture(scope="module")
def dists() -> Dists:
    return Dists(*random_state())


def run(data: Path, dists: Dists, output: Path) -> str:
    """The text of pairs.csv."""
    found = find_contents(data / "sr", data / "lr")
    selected = select_pairs(found, measure(found, dists, output), k=4, groups="mad+mid")
    write_pairs(output / "pairs.csv", selected)
    return (output / "pairs.csv").read_text()


def test_a_study_reads_the_pairs(data, dists, tmp_path):
    run(data, dists, tmp_path / "out")
    pairs = read_pairs(tmp_path / "out" / "pairs.csv")
    assert len(pairs) == 3 * 4
    assert len(ImageFiles(pairs, data).sizes) == len(pairs)


def test_measured_distances_are_those_of_each_pair(data, dists, tmp_path):
    found = find_contents(data / "sr", data / "lr")
    measured = measure(found, dists, tmp_path)
    assert measured.d1.shape == (len(CONTENTS), 3)
    assert measured.d1.dtype == measured.features.dtype == np.float32
    *results, lr = mad_distances._read_images(found, "c2")
    np.testing.assert_array_equal(measured.d1[2], dists.pair_distances(results))
    np.testing.assert_array_equal(measured.features[2], dists.features(lr))


def test_order_on_disk_does_not_matter(data, dists, tmp_path):
    other = make_results(tmp_path / "other", CONTENTS[::-1], METHODS[::-1])
    assert run(data, dists, tmp_path / "a") == run(other, dists, tmp_path / "b")


def interrupt_after(monkeypatch, dists: Dists, contents: int) -> None:
    """Ctrl-C while a later content is measured."""
    measured = dists.pair_distances
    calls = itertools.count()

    def stops(images):
        if next(calls) == contents:
            raise KeyboardInterrupt
        return measured(images)

    monkeypatch.setattr(dists, "pair_distances", stops)


@pytest.mark.parametrize("torn", [b"", b"half an entry", b"\0" * 5000])
def test_resumes_after_a_stop(data, dists, tmp_path, monkeypatch, torn):
    whole = run(data, dists, tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt_after(patch, dists, 3)
        with pytest.raises(KeyboardInterrupt):
            run(data, dists, tmp_path / "out")
    (cache,) = (tmp_path / "out").glob("*.cache")
    with cache.open("ab") as stream:
        stream.write(torn)
    with monkeypatch.context() as patch:
        interrupt_after(patch, dists, 3)  # three are left: a fourth would be measured twice
        assert run(data, dists, tmp_path / "out") == whole
    with monkeypatch.context() as patch:
        interrupt_after(patch, dists, 0)
        assert run(data, dists, tmp_path / "out") == whole


KILLED = """
import os, signal, sys
from pathlib import Path
from sriqa_metric.calibrate.selection import distances as mad_distances
from tests.calibrate.selection.test_dists import random_state
from tests.calibrate.selection.test_mad_on_images import run
from sriqa_metric.calibrate.selection.dists import Dists
data, output = map(Path, sys.argv[1:])
add = mad_distances.Cache.add
def killed(self, *entry):
    add(self, *entry)
    if os.stat(next(output.glob("*.cache"))).st_size >= 2 * self._entry.itemsize:
        os.kill(os.getpid(), signal.SIGKILL)
mad_distances.Cache.add = killed
run(data, Dists(*random_state()), output)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_resumes_after_a_kill(data, dists, tmp_path, monkeypatch):
    command = [sys.executable, "-c", KILLED, str(data), str(tmp_path / "out")]
    died = subprocess.run(command, cwd=Path(__file__).parents[3], check=False)
    assert died.returncode == -signal.SIGKILL
    with monkeypatch.context() as patch:
        interrupt_after(patch, dists, len(CONTENTS) - 2)
        resumed = run(data, dists, tmp_path / "out")
    assert resumed == run(data, dists, tmp_path / "whole")


def test_a_changed_image_is_measured_again(data, dists, tmp_path):
    before = run(data, dists, tmp_path)
    changed = data / "sr" / "soft" / "c0.png"
    Image.new("RGB", (16, 16), "red").save(changed)
    os.utime(changed, (1, 1))
    after = run(data, dists, tmp_path)
    assert after != before
    assert after == run(data, dists, tmp_path / "fresh")


def test_other_weights_or_methods_have_their_own_cache(data, dists, tmp_path):
    found = find_contents(data / "sr", data / "lr")
    measure(found, dists, tmp_path)
    measure(found, Dists(*random_state(1)), tmp_path)
    measure(find_contents(data / "sr", data / "lr", ["soft", "dull"]), dists, tmp_path)
    assert len(list(tmp_path.glob("*.cache"))) == 3


def test_a_folder_that_cannot_be_written(data, dists, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SriqaError, match="file: cannot be written"):
        measure(find_contents(data / "sr", data / "lr"), dists, tmp_path / "file")


@pytest.mark.parametrize("endings", [METHODS, ("D", "Sharp-x4", "SOFT"), ("", "", "")])
def test_layout_of_the_authors(data, endings):
    plain = find_contents(data / "sr", data / "lr")
    for method, ending in zip(METHODS, endings, strict=True):
        folder = data / "sr" / method
        (folder / "SR").mkdir()
        for content in CONTENTS:
            name = f"{content}_{ending}.png" if ending else f"{content}.png"
            (folder / f"{content}.png").rename(folder / "SR" / name)
    (data / "lr").rename(data / "sr" / "LR")
    found = find_contents(data / "sr", data / "sr" / "LR")
    assert (found.methods, found.contents) == (plain.methods, plain.contents)
    assert found.results["soft", "c1"].parent == data / "sr" / "soft" / "SR"
    assert common_root(found) == data / "sr"


def spoil(data: Path) -> None:
    """Every complaint at once; c3 and c5 stay whole."""
    sr = data / "sr"
    (sr / "soft" / "c0.png").unlink()
    Image.new("RGB", (8, 8)).save(sr / "dull" / "c1.png")
    (sr / "sharp" / "c2.png").write_bytes(b"no image")
    (data / "lr" / "c2.png").write_bytes(b"")
    (data / "lr" / "c4.png").unlink()


def test_all_complaints_come_at_once(data):
    spoil(data)
    with pytest.raises(SriqaError) as error:
        find_contents(data / "sr", data / "lr")
    first, *lines = str(error.value).splitlines()
    assert "cannot use 4 of 6 contents" in first
    assert "--skip-incomplete" in first
    assert lines[0] == "  c0: no result of soft"
    assert lines[1] == "  c1: results differ in size: dull 8x8, sharp 16x16, soft 16x16"
    assert "sharp/c2.png cannot be read" in lines[2]
    assert "lr/c2.png cannot be read" in lines[2]
    assert lines[3] == "  c4: no LR input"
    assert len(lines) == 4


def test_incomplete_contents_are_left_out_on_request(data, dists, tmp_path):
    spoil(data)
    found = find_contents(data / "sr", data / "lr", skip_incomplete=True)
    assert found.contents == ("c3", "c5")
    assert "left out 4 of 6 contents:\n  c0: no result of soft" in found.notes[-1]
    assert len(found.stamps) == 2
    assert measure(found, dists, tmp_path).d1.shape == (2, 3)


def test_notes(data):
    Image.new("RGB", (8, 8)).save(data / "lr" / "extra.png")
    notes = find_contents(data / "sr", data / "lr").notes
    assert notes[0] == "3 methods: dull, sharp, soft"
    assert notes[1] == "no method has results of 1 LR input: 'extra'"


@pytest.mark.parametrize(
    ("root", "lr", "methods", "message"),
    [
        ("none", "lr", None, "none: no such folder"),
        ("sr", "none", None, "none: no such folder"),
        ("sr", "sr", None, "sr: no images"),
        ("sr", "lr", ["dull", "best"], "no folder of method 'best'; found .*dull"),
        ("sr", "lr", ["dull"], r"two or more methods, found dull"),
        ("lr", "lr", None, "two or more methods"),
        ("sr", "lr", ["dull", "empty"], "empty: no images"),
    ],
)
def test_wrong_folders(data, root, lr, methods, message):
    (data / "sr" / "empty").mkdir()
    with pytest.raises(SriqaError, match=message):
        find_contents(data / root, data / lr, methods)


def test_nothing_left(data):
    for content in CONTENTS:
        (data / "lr" / f"{content}.png").write_bytes(b"")
    with pytest.raises(SriqaError, match="no content can be used"):
        find_contents(data / "sr", data / "lr", skip_incomplete=True)


def test_an_image_cut_off_is_an_error(data, dists, tmp_path):
    path = data / "sr" / "dull" / "c1.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SriqaError, match="cut off"):
        measure(find_contents(data / "sr", data / "lr"), dists, tmp_path)


def test_sheet_shows_the_window_where_results_differ(tmp_path):
    for name, size in (("a", 320), ("b", 320), ("lr", 80)):
        Image.new("RGB", (size, size), "gray").save(tmp_path / f"{name}.png")
    spot = Image.new("RGB", (320, 320), "gray")
    spot.paste("red", (310, 310, 320, 320))
    spot.save(tmp_path / "b.png")
    found = made_contents(("c0",), ("dull", "sharp"))
    found = Contents(
        found.methods,
        found.contents,
        {("dull", "c0"): tmp_path / "a.png", ("sharp", "c0"): tmp_path / "b.png"},
        {"c0": tmp_path / "lr.png"},
        ("c0",),
    )
    selected = select_pairs(found, Distances(np.ones((1, 1)), np.ones((1, 2))))
    draw_sheet(tmp_path / "sheet.png", selected, common_root(found))
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).astype(int)
    red = (sheet[..., 0] - sheet[..., 1] > 200).sum()
    assert red == 100
    with pytest.raises(SriqaError, match=r"sheet\.odd: cannot be written"):
        draw_sheet(tmp_path / "sheet.odd", selected, common_root(found))
