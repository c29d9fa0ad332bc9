import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sriqa_metric.calibrate.data.image_pairs import read_pairs
from sriqa_metric.calibrate.study.image_files import ImageFiles
from sriqa_metric.calibrate.study.images import StudyImages
from sriqa_metric.errors import SriqaError


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        assert not image.info
        return np.asarray(image)


def test_results_are_sent_pixel_for_pixel(folder):
    pairs = read_pairs(folder / "pairs.csv")
    images = StudyImages(ImageFiles(pairs, folder), "secret")
    name = images.result("one_dat.png")
    with Image.open(folder / "one_dat.png") as image:
        np.testing.assert_array_equal(pixels(images.png(name)), np.asarray(image))
    assert images.sizes == [(52, 48)] * 6


def test_names_tell_nothing_and_stay(folder):
    pairs = read_pairs(folder / "pairs.csv")
    first, again, other = (
        StudyImages(ImageFiles(pairs, folder), s) for s in ("secret", "secret", "other")
    )
    names = [first.result(path, bad) for path in ("one_dat.png", "one_gan.png") for bad in (0, 1)]
    assert len(set(names)) == 4
    assert all(len(name) == 32 and int(name, 16) for name in names)
    assert names[0] == again.result("one_dat.png") != other.result("one_dat.png")
    assert other.png(names[0]) is None


def test_the_input_is_enlarged_to_the_size_of_its_results(folder):
    images = StudyImages(ImageFiles(read_pairs(folder / "pairs.csv"), folder), "secret")
    with Image.open(folder / "one_LR.png") as image:
        expected = np.asarray(image.resize((52, 48), Image.Resampling.BICUBIC))
    found = pixels(images.png(images.input("one_LR.png", (52, 48))))
    np.testing.assert_array_equal(found, expected)
    assert images.png(images.input("one_LR.png", (5200, 4800))) is None


def test_the_obvious_version_has_lost_its_details(folder):
    images = StudyImages(ImageFiles(read_pairs(folder / "pairs.csv"), folder), "secret")
    good = pixels(images.png(images.result("one_dat.png"))).astype(float)
    bad = pixels(images.png(images.result("one_dat.png", degraded=True))).astype(float)
    assert bad.shape == good.shape
    assert np.abs(np.diff(bad, axis=1)).mean() < 0.2 * np.abs(np.diff(good, axis=1)).mean()


def test_flat_results_are_not_used_for_obvious_pairs(folder):
    for content in ("one", "two"):
        Image.new("RGB", (52, 48), "gray").save(folder / f"{content}_gan.png")
    pairs = read_pairs(folder / "pairs.csv")
    textured = ImageFiles(pairs, folder).textured
    assert textured
    for index, side in textured:
        assert "gan" not in getattr(pairs[index], f"image_{side}")


@pytest.mark.answers(
    "Study and votes",
    "images of a study that are missing",
    "error before anything starts: the first five are named",
)
def test_bad_images_are_all_named_at_the_start(folder):
    pairs = read_pairs(folder / "pairs.csv")
    (folder / "one_gan.png").unlink()
    (folder / "two_LR.png").unlink()
    with pytest.raises(SriqaError, match=r"'one_gan\.png' is missing; 'two_LR\.png' is missing"):
        StudyImages(ImageFiles(pairs, folder), "secret")


def test_unreadable_images_are_named_at_the_start(folder):
    whole = (folder / "one_gan.png").read_bytes()
    (folder / "one_gan.png").write_bytes(whole[: len(whole) // 2])
    (folder / "two_gan.png").write_bytes(b"")
    with pytest.raises(SriqaError, match=r"one_gan\.png.*two_gan\.png"):
        StudyImages(ImageFiles(read_pairs(folder / "pairs.csv"), folder), "secret")


def test_many_bad_images_are_counted(folder):
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(SriqaError, match="and 3 more"):
        StudyImages(ImageFiles(read_pairs(folder / "pairs.csv"), folder), "secret")


@pytest.mark.answers(
    "Study and votes",
    "a path of `pairs.csv` or a link that leads out of `--images`",
    "error: it is outside; it is never served",
)
@pytest.mark.parametrize(
    "path", ["../outside.png", "link.png", "/absolute", "sub/../../outside.png"]
)
def test_no_image_outside_of_the_root(folder, tmp_path, path):
    outside = tmp_path / "outside.png"
    Image.new("RGB", (52, 48)).save(outside)
    (folder / "sub").mkdir()
    (folder / "link.png").symlink_to(outside)
    path = str(outside) if path == "/absolute" else path
    pairs = [replace(read_pairs(folder / "pairs.csv")[0], image_b=path)]
    with pytest.raises(SriqaError, match="outside of it"):
        StudyImages(ImageFiles(pairs, folder), "secret")


@pytest.mark.answers(
    "Study and votes", "an image that becomes a link while the study runs", "not followed"
)
def test_a_link_that_was_put_in_later_is_not_followed(folder, tmp_path):
    Image.new("RGB", (52, 48)).save(tmp_path / "outside.png")
    images = StudyImages(ImageFiles(read_pairs(folder / "pairs.csv"), folder), "secret")
    (folder / "one_dat.png").unlink()
    (folder / "one_dat.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(SriqaError, match="is a link now"):
        images.png(images.result("one_dat.png"))


def test_links_inside_of_the_root_are_fine(folder):
    (folder / "link.png").symlink_to(folder / "one_gan.png")
    pairs = [replace(read_pairs(folder / "pairs.csv")[0], image_b="link.png")]
    images = StudyImages(ImageFiles(pairs, folder), "secret")
    assert images.png(images.result("link.png"))


@pytest.mark.parametrize("path", ["loop.png", "folder", "nul\0.png", "x" * 5000])
def test_paths_that_are_no_files(folder, path):
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "folder").mkdir()
    pairs = [replace(read_pairs(folder / "pairs.csv")[0], image_b=path)]
    with pytest.raises(SriqaError, match=r"is missing|is no file"):
        StudyImages(ImageFiles(pairs, folder), "secret")


@pytest.mark.answers(
    "Study and votes",
    "two results of a pair that differ in size",
    "error: names the pair and both sizes",
)
def test_results_of_different_size(folder):
    Image.new("RGB", (40, 40)).save(folder / "one_gan.png")
    with pytest.raises(SriqaError, match=r"one_gan\.png is 40x40"):
        StudyImages(ImageFiles(read_pairs(folder / "pairs.csv"), folder), "secret")


@pytest.mark.answers(
    "Study and votes",
    "the number of bytes of an image (it could tell a smooth result from a detailed one)",
    "the same for all images of one size",
)
def test_sizes_tell_nothing(folder):
    Image.new("RGB", (52, 48), "gray").save(folder / "one_gan.png")
    images = StudyImages(ImageFiles(read_pairs(folder / "pairs.csv"), folder), "secret")
    names = [images.result(path, bad) for path in ("one_dat.png", "one_gan.png") for bad in (0, 1)]
    names.append(images.input("one_LR.png", (52, 48)))
    (size,) = {len(images.png(name)) for name in names}
    assert 3 * 52 * 48 < size < 1.1 * 3 * 52 * 48
