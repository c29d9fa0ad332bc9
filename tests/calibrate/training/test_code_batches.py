"""Stage 1 on codes that are computed once."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from sriqa_metric.calibrate.data.distortions import VERSIONS
from sriqa_metric.calibrate.statistics import image_pairs_right, srcc
from sriqa_metric.calibrate.training.code_batches import CodeBatches, CodeStores, order_codes
from sriqa_metric.calibrate.training.crop_batches import Sources
from sriqa_metric.calibrate.training.label_steps import LabelTraining
from sriqa_metric.calibrate.training.label_training import train_on_labels
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from tests.calibrate.planted import SMALL, batch_of, tiny

CPU = torch.device("cpu")
CACHED = replace(SMALL, draws=4, crops=3, frozen=["conv"], lr=3e-2)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    metric = CalibratedMetric("tiny", tiny(), None, CropPolicy(), "sha256:1")
    return CodeStores.of(metric, tmp_path_factory.mktemp("codes"), CACHED.draws, 0)


def test_a_batch_has_some_of_the_cached_draws_of_the_images_that_crops_would_have(sets, sr, stores):
    config = replace(CACHED, contents=2, groups=2)
    batches = CodeBatches(Sources(tuple(sets), sr), config, 0, stores)
    first, other = batch_of(batches), batch_of(batches, 3)
    assert first.images.shape == (4 + 4 + 2 * 2 * 3, 3, 8)
    assert first.ladders.shape == (0, 1, 8)
    for path, codes in zip(first.files, first.images, strict=True):
        known = stores.drawn.codes([path])[0]
        found = {row for code in codes for row, k in enumerate(known) if (k.numpy() == code).all()}
        assert len(found) == 3
    assert (batch_of(batches).images == first.images).all()
    assert first.images.tobytes() != other.images.tobytes()


def test_images_with_certain_orders_have_their_codes(sets, sr, stores):
    config = replace(CACHED, photo_ladders=3, sr_ladders=2)
    photos = sets[0].paths
    batch = batch_of(CodeBatches(Sources(tuple(sets), sr, photos), config, 5, stores))
    assert batch.ladders.shape == (5, VERSIONS, 8)
    assert set(batch.files[8:11]) <= set(photos)
    order = np.random.default_rng([5, 3]).permutation(len(photos))
    codes = order_codes(stores.drawn.metric, [photos[row] for row in order], False, 5)
    for path, ladder in zip(batch.files[8:11], batch.ladders[:3], strict=True):
        expected = codes[[photos[row] for row in order].index(path)].numpy()
        assert (ladder == expected).all()


def test_what_is_trained_on_and_what_is_held_out_are_cached_for_their_use(sets, sr, stores):
    batches = CodeBatches(Sources(tuple(sets)), CACHED, 0, stores)
    held = sr.images(sr.methods[0])
    assert stores.drawn.fill(sets[0].paths) == 0
    batches.tested(held)
    assert stores.tested.fill(held) == 0
    assert stores.tested.fill(sets[0].paths) == len(sets[0].paths)
    assert stores.tested.codes(held).shape[1] == 1


def test_training_on_codes_learns_what_crops_would_teach(sets, validation, stores, folder):
    model = tiny()
    before = model.conv.weight.clone()
    sources = Sources(tuple(sets))
    train_on_labels(
        model, sources, validation, replace(CACHED, epochs=30), 0, folder, CPU, stores=stores
    )
    assert torch.equal(model.conv.weight, before)
    with (folder.path / "log.csv").open(newline="") as stream:
        values = [
            float(row["value"]) for row in csv.DictReader(stream) if row["loss"] == "held srcc"
        ]
    assert max(values) > 0.95 > values[0] + 0.1
    metric = CalibratedMetric("tiny", model, None, CropPolicy())
    held = validation.labelled[0]
    assert srcc(np.array(metric.score(list(held.paths))), held.mos) == pytest.approx(
        max(values), abs=1e-6
    )


def test_the_first_step_has_the_losses_of_the_same_codes_read_one_by_one(sets, stores):
    batches = CodeBatches(Sources(tuple(sets)), CACHED, 0, stores)
    training = LabelTraining(tiny(0), batches, CACHED, CPU, None, "labels")
    batch = batch_of(batches)
    scores = [
        training.model.read(torch.from_numpy(codes).mean(0, True))[0] for codes in batch.images
    ]
    own = LabelTraining(tiny(0), batches, CACHED, CPU, None, "labels")
    names, losses = own._losses((torch.cat(scores), torch.empty(0, 1)), batch)
    found = training.step(1, batch)
    for name, loss in zip(names, losses, strict=True):
        assert found[name] == pytest.approx(loss.item(), abs=1e-6)


def test_held_out_groups_are_judged_by_their_test_crops(sets, validation, sr, stores):
    config = replace(CACHED, contents=1)
    batches = CodeBatches(Sources(tuple(sets), sr), config, 0, stores)
    model = tiny()
    training = LabelTraining(model, batches, config, CPU, None, "labels")
    found = training.validate(replace(validation, sr=sr))
    metric = CalibratedMetric("tiny", model, None, CropPolicy())
    scores = [metric.score(sr.images(method)) for method in sr.methods]
    assert found["image pairs"] == image_pairs_right(np.array(scores), sr.mu)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frozen": []}, r"labels\.draws is 4, .* labels\.frozen is \[\]; freeze it, or set"),
        ({"crops": 5}, r"labels\.crops is 5, but labels\.draws caches 4"),
    ],
)
def test_settings_that_codes_cannot_serve(sets, validation, stores, folder, change, message):
    config = replace(CACHED, **change)
    with pytest.raises(SriqaError, match=message):
        train_on_labels(
            tiny(), Sources(tuple(sets)), validation, config, 0, folder, CPU, stores=stores
        )
