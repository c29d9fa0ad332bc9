"""Every value of a map is the metric's score of one crop; the field stays within them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from torch import nn

from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.quality_map import QualityMap, quality_map
from tests.conftest import EXAMPLES

POLICY = CropPolicy(size=32, number=3, stride=8, wide_stride=12, wide=100)


class Tiny(nn.Module):
    """A random quality model: quick, and no two crops score the same."""

    feature_dim = 4
    crops_per_pass = 5

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 5, stride=4)

    def encode(self, crops: torch.Tensor) -> torch.Tensor:
        return self.conv(crops).square().mean((2, 3))

    def read(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return codes[:, 0] * 10, codes[:, 1:]


@pytest.fixture(scope="module")
def tiny() -> CalibratedMetric:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rectifier = Rectifier(4)
        nn.init.normal_(rectifier.out.weight)
        return CalibratedMetric("tiny", Tiny(), rectifier, POLICY, "sha256:0123456789ab")


@pytest.mark.answers("Modules", "`torch.autocast` around a map", "the same map, bit for bit")
def test_autocast_moves_no_map(tiny):
    image = torch.rand(3, 70, 90, generator=torch.Generator().manual_seed(0))
    expected = tiny.quality_map(image).scores
    with torch.autocast("cpu", torch.bfloat16):
        assert np.array_equal(tiny.quality_map(image).scores, expected)


def starts(length: int) -> list[int]:
    """The grid of POLICY, written once more."""
    step = 12 if length >= 100 else 8
    found = [0]
    while found[-1] + 32 < length:
        found.append(min(found[-1] + step, length - 32))
    return found


@pytest.mark.answers(
    "Images in memory", "a value of a quality map", "the score of that window alone, to 1e-5"
)
@pytest.mark.parametrize("size", [(32, 32), (40, 99), (57, 100), (61, 131), (32, 200)])
def test_each_value_is_the_score_of_that_crop_alone(tiny, rng, size):
    image = torch.from_numpy(rng.random((3, *size), dtype=np.float32))
    found = quality_map(tiny, image)
    assert found.tops.tolist() == starts(size[0])
    assert found.lefts.tolist() == starts(size[1])
    assert found.scores.shape == (len(found.tops), len(found.lefts))
    for row, top in enumerate(found.tops):
        for column, left in enumerate(found.lefts):
            crop = image[None, :, top : top + 32, left : left + 32]
            assert found.scores[row, column] == pytest.approx(tiny(crop).item(), abs=1e-5)


def test_crops_of_the_bundled_metric_score_as_images_do(lite, picture):
    found = lite.quality_map(picture)
    assert found.scores.shape == (4, 5)
    crops = [picture[:, t : t + 224, x : x + 224] for t in found.tops for x in found.lefts]
    assert found.scores.ravel() == pytest.approx(lite.score(crops), abs=1e-5)


@pytest.mark.answers(
    "Images in memory",
    "a map of an image smaller than a crop",
    "a map of the enlarged image, told in pixels of the image",
)
def test_small_images_are_enlarged_first(tiny, rng):
    image = torch.from_numpy(rng.random((3, 20, 50), dtype=np.float32))
    found = quality_map(tiny, image)
    whole = F.interpolate(image[None], size=(32, 80), mode="bicubic").clamp(0, 1)
    expected = [tiny(whole[..., x : x + 32]).item() for x in range(0, 49, 8)]
    assert found.scores == pytest.approx(np.array([expected]), abs=1e-4)
    assert (found.height, found.width) == (20, 50)
    assert found.window(0, 0) == (0, 0, 20, 20)
    assert found.window(0, 6) == (0, 30, 20, 50)
    assert found.per_pixel().shape == (20, 50)


def test_one_window_is_one_score(tiny, rng):
    found = quality_map(tiny, rng.random((32, 32, 3)))
    assert found.scores.shape == (1, 1)
    assert found.scores[0, 0] == pytest.approx(found.score, abs=1e-5)
    assert (found.per_pixel() == found.scores[0, 0]).all()


@pytest.mark.answers(
    "Images in memory", "the `score` of a quality map", "that of the image, bit for bit"
)
def test_it_tells_the_ordinary_score_and_whose_it_is(tiny, rng):
    image = rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)
    found = tiny.quality_map(image)
    assert found.score == tiny.score(image)
    assert (found.metric, found.weights, found.size) == ("tiny", "sha256:0123456789ab", 32)


@pytest.mark.answers("Work and memory", "a map in batches of any size", "the same map, to 1e-5")
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_batches_do_not_matter(tiny, rng, batch_size):
    image = rng.random((60, 110, 3))
    found = quality_map(tiny, image, batch_size).scores
    assert found == pytest.approx(quality_map(tiny, image).scores, abs=1e-5)


def test_no_more_windows_than_a_batch_are_cut_out_at_once(tiny, rng, monkeypatch):
    counts = []
    encode = tiny.encode
    monkeypatch.setattr(
        tiny, "encode", lambda crops, *rest: counts.append(len(crops)) or encode(crops, *rest)
    )
    found = quality_map(tiny, rng.random((200, 200, 3)), 16)
    counts.pop()  # the ordinary score
    assert max(counts) == 16
    assert sum(counts) == found.scores.size == 15 * 15


def test_progress_sees_every_batch(tiny, rng):
    seen = []

    def track(batches):
        for batch in batches:
            seen.append(batch)
            yield batch

    quality_map(tiny, rng.random((48, 48, 3)), 4, track)
    assert seen == [0, 4, 8]


@pytest.mark.answers(
    "Work and memory",
    "the map of an image that has more than 100,000 windows",
    "error with their number; map a part of it",
)
def test_a_map_has_a_bounded_number_of_windows(tiny, tmp_path):
    image = Image.new("L", (400_000, 2))
    image.save(tmp_path / "long.png")
    with pytest.raises(
        SriqaError, match=r"long\.png: its map would have 1×533332 = 533332 windows"
    ):
        tiny.quality_map(tmp_path / "long.png")
    assert tiny.score(tmp_path / "long.png") == pytest.approx(tiny.score(np.zeros((32, 32, 3))))


@pytest.mark.answers("Work and memory", "a map of an image of 2×2000 pixels", "a map of all of it")
def test_a_map_of_a_longish_image_is_drawn_whole(tiny):
    found = tiny.quality_map(torch.linspace(0, 1, 2000).expand(3, 2, -1))
    assert found.scores.shape == (1, 2665)
    assert found.per_pixel().shape == (2, 2000)
    assert found.window(0, 2664) == (0, 1998, 2, 2000)


@pytest.mark.answers(
    "Work and memory", "a map in which a score is NaN or infinite", "error; nothing is written"
)
def test_a_map_of_no_numbers_is_an_error(tiny, monkeypatch):
    monkeypatch.setattr(tiny, "read", lambda codes: torch.full((len(codes),), torch.inf))
    with pytest.raises(SriqaError, match="array: its score is inf; the weights are to blame"):
        tiny.quality_map(np.zeros((40, 40, 3)))


@pytest.mark.answers(
    "Work and memory", "memory does not suffice for a map", "error with the image's name"
)
def test_too_little_memory_for_a_map_is_an_error(tiny, monkeypatch):
    def encode(crops, at_once=None):
        raise MemoryError

    monkeypatch.setattr(tiny, "encode", encode)
    with pytest.raises(SriqaError, match="array: there is not enough memory to score it"):
        tiny.quality_map(np.zeros((40, 40, 3)))


@pytest.mark.answers(
    "Work and memory",
    "a map, where memory does not suffice for a batch of its crops",
    "half as many at once from then on; one line on stderr says so",
)
def test_a_map_goes_on_with_less_memory(tiny, rng, monkeypatch, caplog):
    image = rng.random((60, 110, 3))
    expected, encode, passes = quality_map(tiny, image), tiny.encode, []

    def limited(crops, at_once=None):
        if len(crops) > 6:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        passes.append(len(crops))
        return encode(crops, at_once)

    monkeypatch.setattr(tiny, "encode", limited)
    found = quality_map(tiny, image, 16, score=expected.score)
    assert found.scores == pytest.approx(expected.scores, abs=1e-5)
    assert sum(passes) == found.scores.size
    assert caplog.messages == [
        "not enough memory for 16 crops at once: now 8 are",
        "not enough memory for 8 crops at once: now 4 are",
    ]


def a_map(scores: np.ndarray, height: int, width: int, size: int = 32) -> QualityMap:
    tops = np.linspace(0, height - size, scores.shape[0]).astype(int)
    lefts = np.linspace(0, width - size, scores.shape[1]).astype(int)
    return QualityMap(scores, tops, lefts, size, height, width, 0.0, "tiny", "unsaved")


SIDES = st.integers(32, 80)


@settings(max_examples=50)
@given(SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_field_lies_within_the_scores(height, width, seed):
    rows, columns = min(4, height - 31), min(5, width - 31)
    scores = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    field = a_map(scores, height, width).per_pixel()
    assert field.shape == (height, width)
    assert field.dtype == np.float32
    assert scores.min() - 1e-6 <= field.min() <= field.max() <= scores.max() + 1e-6


def test_a_constant_map_is_a_constant_field():
    assert (a_map(np.full((3, 4), 2.5, np.float32), 70, 90).per_pixel() == 2.5).all()


def test_field_is_bilinear_between_window_centres():
    scores = np.array([[0, 8], [80, 88]], np.float32)
    field = a_map(scores, 48, 40).per_pixel()  # centres at 16 and 32 down, at 16 and 24 across
    assert (field[:16, :16] == 0).all()
    assert (field[32:, 24:] == 88).all()
    assert field[16:32, 0] == pytest.approx(np.arange(0.5, 16) * 5)
    assert field[0, 16:24] == pytest.approx(np.arange(0.5, 8))
    assert field[20, 20] == pytest.approx(4.5 * 5 + 4.5)


@pytest.mark.answers(
    "Images in memory", "an image that cannot be scored, for a map", "the error that `score` gives"
)
@pytest.mark.parametrize(
    "image",
    [
        "missing.png",
        str(EXAMPLES / "README.md"),
        torch.full((3, 40, 40), torch.nan),
        np.full((40, 40, 3), 255.0),
        torch.zeros(2, 3, 40, 40),
    ],
    ids=["missing", "no image", "NaN", "range", "batch"],
)
def test_bad_images_are_refused_as_by_score(tiny, image):
    with pytest.raises(SriqaError) as by_score:
        tiny.score(image)
    with pytest.raises(SriqaError) as by_map:
        tiny.quality_map(image)
    assert str(by_map.value) == str(by_score.value)


def test_a_blurred_half_scores_lower(lite):
    image = Image.open(EXAMPLES / "chelsea_realesrgan_x4plus.png").convert("RGB")
    half = (256, 0, 512, 512)
    image.paste(image.crop(half).filter(ImageFilter.GaussianBlur(5)), half)
    found = lite.quality_map(image)
    left, right = found.scores[:, 0], found.scores[:, -1]
    assert left.min() > right.max()


def test_a_map_can_be_drawn_smaller(rng):
    found = a_map(rng.random((3, 4), np.float32), 96, 128)
    small = found.per_pixel((24, 32))
    assert small.shape == (24, 32)
    # A pixel of the small one is the middle of 4×4 of the others, and the field is bilinear.
    middle = found.per_pixel().reshape(24, 4, 32, 4)[:, 1:3, :, 1:3].mean((1, 3))
    assert small == pytest.approx(middle, abs=0.01)
    low, high = found.scores.min(), found.scores.max()
    assert low - 1e-6 <= small.min() <= small.max() <= high + 1e-6
