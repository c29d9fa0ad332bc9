"""The same image gives the same score, whatever its container, its neighbours and the batch."""

import numpy as np
import pytest
import torch
from PIL import Image

from sriqa_metric.errors import ImageError, SriqaError
from sriqa_metric.scoring import map_ahead, score_all, score_stream
from tests.conftest import EXAMPLES

PATHS = sorted(EXAMPLES.glob("c*.png"))
TOLERANCE = 1e-5  # float32 sums of another order


@pytest.fixture(scope="module")
def alone(lite) -> list[float]:
    return [lite.score(path) for path in PATHS]


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


def test_images_of_any_sizes_mix(lite, rng):
    arrays = [rng.random((h, w, 3)) for h, w in ((224, 224), (30, 50), (300, 700), (224, 256))]
    assert lite.score(arrays) == pytest.approx([lite.score(a) for a in arrays], abs=TOLERANCE)


def test_bad_images_keep_their_place(lite, alone, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    found = list(score_stream(lite, [bad, PATHS[0], bad, PATHS[1], bad]))
    assert [isinstance(result, SriqaError) for result in found] == [True, False, True, False, True]
    assert [found[1], found[3]] == pytest.approx(alone[:2], abs=TOLERANCE)


def test_score_raises_for_the_first_bad_image(lite, tmp_path):
    missing = tmp_path / "missing.png"
    with pytest.raises(ImageError, match=r"missing\.png"):
        lite.score([PATHS[0], missing])


def test_no_images_no_scores(lite):
    assert score_all(lite, []) == []


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


def test_map_ahead_keeps_the_order():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        assert list(map_ahead(pool, lambda x: x * x, range(20), depth=4)) == [
            x * x for x in range(20)
        ]
