"""The same image gives the same score, whatever its container, its neighbours and the batch."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

import sriqa_metric as sriqa
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import ImageError, SriqaError
from sriqa_metric.scoring import map_ahead, score_all, score_stream
from tests.conftest import EXAMPLES

PATHS = sorted(EXAMPLES.glob("c*.png"))
TOLERANCE = 1e-5  # float32 sums of another order


@pytest.fixture(scope="module")
def alone(lite) -> list[float]:
    return [lite.score(path) for path in PATHS]


@pytest.mark.answers(
    "Images in memory",
    "one image as path, PIL image, array and tensor",
    "one score, to 1e-5",
)
def test_path_pil_array_and_tensor_score_the_same(lite, alone):
    path = PATHS[-1]
    image = Image.open(path).convert("RGB")
    array = np.array(image)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    same = [str(path), path, image, array, array / 255, tensor, tensor / 255, tensor[None]]
    assert lite.score(same) == pytest.approx([alone[-1]] * len(same), abs=TOLERANCE)


def test_module_scores_as_score_does(lite, alone):
    image = torch.from_numpy(np.array(Image.open(PATHS[0]).convert("RGB"))).permute(2, 0, 1)
    found = lite(torch.stack([image, image]).float() / 255)
    assert found.shape == (2, 1)
    assert found.flatten().tolist() == pytest.approx([alone[0]] * 2, abs=TOLERANCE)


@pytest.mark.answers(
    "Work and memory",
    "any batch size and any number of threads that decode",
    "the same scores, to 1e-5",
)
@pytest.mark.parametrize("batch_size", [1, 4, 64])
@pytest.mark.parametrize("workers", [1, 3])
def test_batch_and_threads_do_not_matter(lite, alone, batch_size, workers):
    found = list(score_stream(lite, PATHS, batch_size, workers))
    assert found == pytest.approx(alone, abs=TOLERANCE)


def test_order_of_the_images_permutes_the_scores(lite, alone, rng):
    order = rng.permutation(len(PATHS))
    found = lite.score([PATHS[i] for i in order])
    assert found == pytest.approx([alone[i] for i in order], abs=TOLERANCE)


def test_same_call_twice_gives_the_same_bits(lite):
    assert lite.score(PATHS) == lite.score(PATHS)


@pytest.mark.answers(
    "Images in memory", "a list of images of different sizes", "each scored as it is alone"
)
def test_images_of_any_sizes_mix(lite, rng):
    arrays = [rng.random((h, w, 3)) for h, w in ((224, 224), (30, 50), (300, 700), (224, 256))]
    assert lite.score(arrays) == pytest.approx([lite.score(a) for a in arrays], abs=TOLERANCE)


@pytest.mark.answers(
    "Images in memory",
    "bad images among the good, in `score_stream`",
    "their errors stand in their places; the others are scored",
)
def test_bad_images_keep_their_place(lite, alone, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    found = list(score_stream(lite, [bad, PATHS[0], bad, PATHS[1], bad]))
    assert [isinstance(result, SriqaError) for result in found] == [True, False, True, False, True]
    assert [found[1], found[3]] == pytest.approx(alone[:2], abs=TOLERANCE)


@pytest.mark.answers(
    "Images in memory", "a bad image in the list that `score` is given", "its error, with its name"
)
def test_score_raises_for_the_first_bad_image(lite, tmp_path):
    missing = tmp_path / "missing.png"
    with pytest.raises(ImageError, match=r"missing\.png"):
        lite.score([PATHS[0], missing])


@pytest.mark.answers("Images in memory", "an empty list", "an empty list")
def test_no_images_no_scores(lite):
    assert score_all(lite, []) == []


@pytest.mark.answers(
    "Work and memory", "any number of images", "only a few of them are held at a time"
)
def test_images_are_read_only_a_little_ahead(lite):
    taken = []

    def source():
        for index in range(100):
            taken.append(index)
            yield np.full((224, 224, 3), index, np.uint8)

    results = score_stream(lite, source(), workers=2)
    next(results)
    results.close()
    assert len(taken) < 15


def _short_of_memory(metric, monkeypatch, error, enough):
    """Let the metric run out of memory where a pass holds what `enough` does not let through."""
    passes, encode = [], metric.encode

    def limited(crops, at_once=None):
        passes.append(len(crops))
        if not enough(crops):
            raise error
        return encode(crops, at_once)

    monkeypatch.setattr(metric, "encode", limited)
    return passes


CPU = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000000000000 bytes."
WINDOWS = CPU.replace("can't allocate", "not enough")
SHORTAGES = [
    MemoryError(),
    RuntimeError(f"[enforce fail at alloc_cpu.cpp:121] err == 0. {CPU} Error code 12"),
    RuntimeError(f"[enforce fail at alloc_cpu.cpp:114] data. {WINDOWS}"),
    RuntimeError("MPS backend out of memory (MPS allocated: 18.00 GB"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("could not create a primitive"),
]


@pytest.mark.answers(
    "Work and memory",
    "several images at once are too much for the memory, of the CPU or the GPU",
    "half as many crops at once from then on; one line on stderr says so",
)
@pytest.mark.parametrize("error", SHORTAGES, ids=repr)
def test_crops_that_do_not_fit_together_are_halved(lite, alone, monkeypatch, caplog, error):
    paths = [path for path in PATHS if "LR" not in path.name][:4]  # of six crops
    passes = _short_of_memory(lite, monkeypatch, error, lambda crops: len(crops) <= 12)
    found = list(score_stream(lite, paths, batch_size=18))
    assert found == pytest.approx([alone[PATHS.index(path)] for path in paths], abs=TOLERANCE)
    assert passes == [18, 6, 12, 6]
    assert caplog.messages == ["not enough memory for 18 crops at once: now 9 are"]


def test_crops_of_one_image_are_halved(lite, alone, monkeypatch, caplog):
    encode = lite.quality_model.encode
    passes = []

    def limited(crops):
        passes.append(len(crops))
        if len(crops) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return encode(crops)

    monkeypatch.setattr(lite.quality_model, "encode", limited)
    paths = [path for path in PATHS if "LR" not in path.name][:3]
    found = list(score_stream(lite, paths, batch_size=100))
    assert found == pytest.approx([alone[PATHS.index(path)] for path in paths], abs=TOLERANCE)
    assert passes[:3] == [18, 6, 3]
    assert (max(passes[3:]), sum(passes[3:])) == (1, 18)
    words = "not enough memory for {} crops at once: now {} are"
    # 18 -> 9 leaves an image of six alone, 6 -> 3 and 3 -> 1 are of its own passes.
    assert caplog.messages == [words.format(*pair) for pair in ((18, 9), (6, 3), (3, 1))]


@pytest.mark.answers(
    "Work and memory",
    "memory does not suffice for one image",
    "error with its name; the others are scored",
)
@pytest.mark.parametrize("batch_size", [1, 100])
def test_too_little_memory_is_the_error_of_that_image(
    lite, alone, monkeypatch, batch_size, tmp_path
):
    dark, error = np.zeros((224, 224, 3)), RuntimeError(CPU)
    _short_of_memory(lite, monkeypatch, error, lambda crops: crops.amax((1, 2, 3)).min() > 0)
    bad = tmp_path / "bad.png"
    found = list(score_stream(lite, [PATHS[0], dark, bad, PATHS[1], dark], batch_size))
    assert [found[0], found[3]] == pytest.approx(alone[:2], abs=TOLERANCE)
    for result in (found[1], found[4]):
        assert str(result) == (
            "array: there is not enough memory to score it; "
            "set a smaller batch size, or score a part of it"
        )
    assert "no such file" in str(found[2])
    with pytest.raises(SriqaError, match="not enough memory"):
        lite.score(dark)


@pytest.mark.parametrize("step", ["to_tensor", "cut_crops", "finish_crops"])
def test_too_little_memory_before_the_network_too(lite, alone, monkeypatch, step):
    from sriqa_metric import scoring

    work = getattr(scoring, step)

    def limited(image, *rest, **options):
        if getattr(image, "ndim", 0) and image.shape[-1] == side:
            raise MemoryError
        return work(image, *rest, **options)

    monkeypatch.setattr(scoring, step, limited)
    side = 100 if step == "finish_crops" else 230  # small ones come to it whole
    image = torch.zeros(3, side, side)
    found = list(score_stream(lite, [PATHS[0], image, PATHS[1]]))
    assert [found[0], found[2]] == pytest.approx(alone[:2], abs=TOLERANCE)
    assert str(found[1]).startswith("tensor: there is not enough memory to score it")


def test_a_mistake_in_a_program_is_no_lack_of_memory(lite, monkeypatch):
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)")
    _short_of_memory(lite, monkeypatch, error, lambda crops: False)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        list(score_stream(lite, PATHS[:2]))


@pytest.mark.answers(
    "Images in memory", "weights that give NaN or infinity", "error with the image's name, no score"
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_is_a_finite_number(monkeypatch, value):
    metric = sriqa.load(policy=CropPolicy(number=1))
    metric.rectifier.out.bias[1] = value
    message = f"{PATHS[0]}: its score is {value}; the weights are to blame, use others"
    found = list(score_stream(metric, [PATHS[0], PATHS[1]]))
    assert [type(result) for result in found] == [SriqaError, SriqaError]
    assert str(found[0]) == message
    with pytest.raises(SriqaError) as caught:
        metric.score(PATHS[0])
    assert str(caught.value) == message
    assert str(metric(torch.zeros(1, 3, 224, 224)).item()) == str(value)


def test_infinite_features_are_no_score(lite, monkeypatch):
    monkeypatch.setattr(lite, "encode", lambda crops, _: torch.full((len(crops), 1024), torch.inf))
    (found,) = score_stream(lite, PATHS[:1])
    assert "its score is nan" in str(found)


@pytest.mark.answers(
    "Work and memory", "an image over `max_pixels`", "error before it is decoded, with its size"
)
def test_the_limit_of_pixels_can_be_moved(lite, alone):
    with Image.open(PATHS[0]) as image:
        pixels = image.width * image.height
    (found,) = score_stream(lite, PATHS[:1], max_pixels=pixels - 1)
    assert isinstance(found, ImageError)
    for work in (lite.score, lite.quality_map):
        with pytest.raises(ImageError, match="is over the limit"):
            work(PATHS[0], max_pixels=pixels - 1)
    assert lite.score(PATHS[0], max_pixels=pixels) == pytest.approx(alone[0], abs=TOLERANCE)


def test_nothing_of_torch_is_changed_between_two_scores(lite):
    results = score_stream(lite, PATHS[:2], batch_size=1)
    next(results)
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    assert len(list(results)) == 1


def test_map_ahead_keeps_the_order():
    with ThreadPoolExecutor(3) as pool:
        assert list(map_ahead(pool, lambda x: x * x, range(20), depth=4)) == [
            x * x for x in range(20)
        ]
