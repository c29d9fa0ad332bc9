"""What a run trains on, and what it never sees."""

import shutil

import numpy as np
import pytest

from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.data.splits import read_data, record
from sriqa_metric.calibrate.data.sr_results import read_sr_results
from sriqa_metric.errors import SriqaError

HELD = ["validation.contents=2", "validation.photos=2", 'validation.methods=["soft"]']


@pytest.fixture(scope="module")
def settings(made_data):
    return [f"data.sr={made_data / 'sr'}", f"data.photos={made_data / 'photos'}", *HELD]


def test_what_is_held_out_is_not_trained_on(settings):
    data = read_data(load_config("sriqa_lite", settings))
    assert data.train.methods == ("sharp", "dull")
    assert len(data.held_contents) == 2
    assert set(data.held_contents).isdisjoint(data.train.contents)
    assert {method for method, _ in data.train.paths} == {"sharp", "dull"}
    assert {content for _, content in data.train.paths} == set(data.train.contents)
    assert set(data.photos).isdisjoint(data.held_photos)
    assert len(data.photos) + len(data.held_photos) == 6


def test_nothing_held_out_is_in_further_results(settings, made_data, tmp_path):
    """Neither contents nor methods, by name; and the weights file tells what is."""
    more = shutil.copytree(made_data / "sr", tmp_path / "more")
    config = load_config("sriqa_lite", [*settings, f'data.more_sr=["{more}"]'])
    data = read_data(config)
    (found,) = data.more
    assert found.methods == data.train.methods
    assert found.contents == data.train.contents
    assert all(path.is_relative_to(more) for path in found.paths.values())
    (told,) = record(config, data)["more_sr"]
    assert told["contents"] == 4
    assert set(told["ranking"]) == {"sharp", "dull"}
    for method in ("sharp", "dull", "soft"):
        for content in found.contents:
            (more / method / f"{content}.png").unlink()
    with pytest.raises(SriqaError, match=r"data\.more_sr: .*, 2 methods and 0 contents are left"):
        read_data(config)


def test_contents_of_a_test_set_are_left_out(settings, tmp_path):
    (tmp_path / "a_b").mkdir()
    (tmp_path / "a_b" / "c3_soft.png").touch()
    (tmp_path / "c10.png").touch()  # c1 is another content
    data = read_data(load_config("sriqa_lite", [*settings, f'data.exclude=["{tmp_path}"]']))
    assert data.full.contents == ("c0", "c1", "c2", "c4", "c5")
    with pytest.raises(SriqaError, match="no such folder; its contents were to be left out"):
        read_data(load_config("sriqa_lite", [*settings, 'data.exclude=["none"]']))


def test_incomplete_contents_are_named_or_skipped(made_data, tmp_path):
    sr = shutil.copytree(made_data / "sr", tmp_path / "sr")
    (sr / "soft" / "c3.png").rename(sr / "soft" / "c3_soft.png")  # the suffix is understood
    (sr / "soft" / "c4.png").unlink()
    with pytest.raises(SriqaError, match=r"1 are missing: soft/c4; --skip-incomplete"):
        read_sr_results(sr, sr / "ranking.csv")
    found = read_sr_results(sr, sr / "ranking.csv", skip_incomplete=True)
    assert found.contents == ("c0", "c1", "c2", "c3", "c5")
    assert found.paths["soft", "c3"].name == "c3_soft.png"


def test_labelled_sets_are_split_by_content_and_recorded(settings, made_data):
    labels = made_data / "labels"
    labels.mkdir(exist_ok=True)
    shutil.copytree(made_data / "sr", labels, dirs_exist_ok=True)
    lines = [
        f"{method}/c{content}.png,{mos},c{content}"
        for mos, method in enumerate(("dull", "soft", "sharp"))
        for content in range(6)
    ]
    (labels / "labels.csv").write_text("\n".join(["path,mos,content", *lines, ""]))
    config = load_config("sriqa_lite", [*settings, f'data.labelled=["mos={labels}"]'])
    data = read_data(config)
    (training,), (validation,) = data.labelled_training, data.labelled_validation
    assert set(training.contents).isdisjoint(validation.contents)
    assert len(training.paths) + len(validation.paths) == 18
    again = read_data(config).labelled_training[0]
    assert again.paths == training.paths
    assert np.array_equal(again.mos, training.mos)
    assert record(config, data)["labels"]["images"] == len(training.paths)


def test_what_is_published_as_a_test_is_never_trained_on(settings, made_data, tmp_path):
    shutil.copytree(made_data / "sr", tmp_path, dirs_exist_ok=True)
    splits = {"sharp": "training", "soft": "training", "dull": "test"}
    lines = [f"{m}/c{k}.png,{k},{split}" for m, split in splits.items() for k in range(6)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,mos,split", *lines, ""]))
    given = [*settings, f'data.labelled=["mos={tmp_path}"]']
    data = read_data(load_config("sriqa_lite", given))
    used = [*data.labelled_training[0].paths, *data.labelled_validation[0].paths]
    assert len(used) == 12
    assert {path.parent.name for path in used} == {"sharp", "soft"}
    text = (tmp_path / "labels.csv").read_text().replace("training", "train")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(SriqaError, match="none 'training'"):
        read_data(load_config("sriqa_lite", given))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("validation.contents=6", "validation.contents is 6; there are 6"),
        ("validation.photos=0", "validation.photos is 0; there are 6"),
        (
            'validation.methods=["vague"]',
            r"\(--holdout-methods\): no method vague; there are sharp, ",
        ),
        ('validation.methods=["soft", "dull"]', "fewer than two of sharp, .* are left to train on"),
        ('data.sr=""', "data.sr is not set"),
        ('data.labelled=["koniq10k"]', "'koniq10k' is not KIND=DIR"),
        ('data.labelled=["flickr=x"]', "unknown kind of labelled set 'flickr'"),
    ],
)
def test_data_that_cannot_be_are_told(override, message, settings):
    with pytest.raises(SriqaError, match=message):
        read_data(load_config("sriqa_lite", [*settings, override]))
