"""What a step of stage 1 is made of."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from sriqa_metric.calibrate.data.distortions import VERSIONS
from sriqa_metric.calibrate.data.sr_results import pixels
from sriqa_metric.calibrate.training import crop_batches
from sriqa_metric.calibrate.training.crop_batches import CropBatches, Sources, random_crops
from sriqa_metric.crops import CropPolicy, enlarged_size, read_crops
from sriqa_metric.errors import SriqaError
from sriqa_metric.images import read_image
from tests.calibrate.planted import SMALL, batch_of, planted

CPU = torch.device("cpu")


def drawn(batches, step):
    return batches._jobs(step)[0]


def test_an_epoch_passes_once_through_the_largest_set(sets):
    batches = CropBatches(Sources(tuple(sets)), SMALL, 0, 224)
    assert batches.steps_per_epoch == 2  # 11 images in fours; three are left out of this pass
    first = [drawn(batches, step) for step in (1, 2)]
    rows = np.concatenate([step[0] for step in first])
    assert len(set(rows)) == 8
    assert all(len(step[1]) == 4 for step in first)  # a pass through six is one batch
    assert list(first[0][1]) != list(first[1][1])
    epochs = [np.concatenate([drawn(batches, e * 2 + s)[0] for s in (1, 2)]) for e in range(30)]
    assert set(np.concatenate(epochs)) == set(range(11))
    assert len({tuple(rows) for rows in epochs}) > 25


def test_a_set_smaller_than_a_batch_is_there_as_a_whole(sets):
    batches = CropBatches(Sources(tuple(sets)), replace(SMALL, batch=8), 0, 224)
    assert batches.steps_per_epoch == 1
    one, two = drawn(batches, 5)
    assert len(set(one)) == 8
    assert sorted(two) == list(range(6))


@pytest.mark.parametrize("processes", [2, 3, 4, 20])
def test_processes_share_the_batch_of_one(sets, sr, processes):
    config = replace(SMALL, contents=2, photo_ladders=2, sr_ladders=1)
    sources = Sources(tuple(sets), sr, tuple(sets[0].paths))
    alone = batch_of(CropBatches(sources, config, 3, 224), 2)
    whole = [*alone.images, *alone.ladders.reshape(-1, 224, 224, 3)]
    assert [share.tolist() for share in alone.shares] == [list(range(4 + 4 + 2 * 3 + 3 * VERSIONS))]
    places = []
    for process in range(processes):
        batches = CropBatches(sources, config, 3, 224, process, processes)
        assert batches.steps_per_epoch == 2
        part = batch_of(batches, 2)
        assert part.files == alone.files
        assert all((a == b).all() for a, b in zip(part.rows, alone.rows, strict=True))
        own = [*part.images, *part.ladders.reshape(-1, 224, 224, 3)]
        for place, crops in zip(part.shares[process], own, strict=True):
            assert (crops == whole[place]).all()
        places += part.shares[process].tolist()
    assert sorted(places) == list(range(len(whole)))


def test_a_batch_depends_on_seed_and_step_alone(sets, sr):
    config = replace(SMALL, contents=2)
    batches = CropBatches(Sources(tuple(sets), sr), config, 3, 224)
    ahead = list(batches.stream(range(1, 4), workers=3))
    late = batch_of(batches, 3)
    assert ahead[2].images.shape == (4 + 4 + 2 * 3, 2, 224, 224, 3)
    assert ahead[2].files == late.files
    assert (ahead[2].images == late.images).all()
    assert (ahead[1].images != late.images).any()
    other = batch_of(CropBatches(Sources(tuple(sets), sr), config, 4, 224), 3)
    assert other.files != late.files
    assert late.files[8:11] == tuple(sr.paths[m, late.files[8].stem] for m in sr.methods)


def test_groups_are_drawn_from_all_results(sets, sr):
    """Each folder with its own methods; the first folder's groups are as without the second."""
    more = replace(sr, methods=sr.methods[:2], mu=sr.mu[:2], contents=sr.contents[:3])
    config = replace(SMALL, contents=1, groups=4)
    alone = CropBatches(Sources(tuple(sets), sr), config, 3, 224)
    both = CropBatches(Sources(tuple(sets), sr, more=(more,)), config, 3, 224)
    assert [(size, number) for _, size, number in both.groups] == [(1, 4), (1, 3)]
    first, second = batch_of(alone), batch_of(both)
    assert second.files[: len(first.files)] == first.files
    added = second.files[len(first.files) :]
    assert len(added) == 3 * 2
    assert set(added) == set(more.images(more.methods[0]) + more.images(more.methods[1]))


def test_crops_are_windows_of_their_image_at_one_place_mirrored_or_not(made_data, sr):
    paths = [sr.paths[method, "c0"] for method in sr.methods]
    crops = random_crops(paths, 20, 64, np.random.default_rng(0))
    image = pixels(paths[0])
    spots = {}
    for number, crop in enumerate(crops[0]):
        for mirrored, window in ((False, crop), (True, crop[:, ::-1])):
            views = np.lib.stride_tricks.sliding_window_view(image, (64, 64), (0, 1))
            hits = np.argwhere((views[:, :, :, 0, 0] == window[0, 0]).all(-1))
            for top, left in hits:
                if (image[top : top + 64, left : left + 64] == window).all():
                    spots[number] = (top, left, mirrored)
    assert len(spots) == 20
    assert len(set(spots.values())) > 15
    assert {mirrored for *_, mirrored in spots.values()} == {True, False}
    for path, same in zip(paths[1:], crops[1:], strict=True):
        other = pixels(path)
        for number, (top, left, mirrored) in spots.items():
            window = other[top : top + 64, left : left + 64]
            assert (same[number] == (window[:, ::-1] if mirrored else window)).all()


def test_a_small_image_is_enlarged_as_for_scoring(tmp_path):
    small = planted(tmp_path, "small", 2, side=50).paths[0]
    assert enlarged_size(50, 50, 224) == (224, 224)
    crops = random_crops([small], 6, 224, np.random.default_rng(1))
    whole = read_crops(read_image(small), CropPolicy(number=1))[0].permute(1, 2, 0).numpy()
    for crop in crops[0]:
        nearest = min(np.abs(crop / 255 - w).max() for w in (whole, whole[:, ::-1]))
        assert nearest < 0.51 / 255


def test_results_of_a_content_that_differ_in_size_are_named(tmp_path):
    paths = [planted(tmp_path, f"m{side}", 2, side).paths[0] for side in (230, 240)]
    with pytest.raises(SriqaError, match=r"240x240 pixels, but .*m230.*has 230x230"):
        random_crops(paths, 1, 224, np.random.default_rng(0))


@pytest.mark.answers(
    "Work and memory",
    "stage 1 on thousands of large images",
    "images are read as a step needs them; two in memory, and the crops of a step",
)
def test_whole_images_are_not_kept(sets, monkeypatch):
    alive, most = weakref.WeakValueDictionary(), []

    def counted(path):
        image = pixels(path)
        alive[id(image)] = image
        most.append(len(alive))
        return image

    monkeypatch.setattr(crop_batches, "pixels", counted)
    batches = CropBatches(Sources(tuple(sets)), replace(SMALL, batch=4), 0, 224)
    steps = 0
    for _ in batches.stream(range(1, 7), workers=1):
        steps += 1
    assert steps == 6
    assert len(most) == 6 * 8
    assert max(most) <= 2
