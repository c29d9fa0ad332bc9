"""Every way in which a weights file can be wrong gives one clear error."""

import io
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import sriqa_metric as sriqa
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.lite import LiteQualityModel
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.registry import REPO_VARIABLE, find_spec
from sriqa_metric.weights.format import read_file, save_weights
from sriqa_metric.weights.header import read_header
from sriqa_metric.weights.load import WeightsError, find_device, load_source, read_weights

answers = pytest.mark.answers
HUB = "Weights and the Hub"
SPEC = find_spec("sriqa_lite")
SOME = "rectifier.hidden.weight"


@pytest.fixture(scope="module")
def random_metric() -> CalibratedMetric:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LiteQualityModel()
        return CalibratedMetric(
            "sriqa_lite", model, Rectifier(model.feature_dim), CropPolicy(number=3)
        )


@pytest.fixture(scope="module")
def good(random_metric, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "good.safetensors"
    save_weights(path, random_metric, {"training_data": "none"})
    return path


def test_saved_weights_come_back(good, random_metric, picture):
    again = read_weights(good, SPEC)
    assert again.policy == CropPolicy(number=3)
    images = picture[None].float() / 255
    with torch.no_grad():
        difference = (again(images) - random_metric(images)).abs().max()
    assert difference < 1e-3  # float16 on disk


def test_weights_are_ready_for_scoring_alone(good):
    metric = read_weights(good, SPEC)
    assert not metric.training
    assert not any(parameter.requires_grad for parameter in metric.parameters())
    assert {parameter.dtype for parameter in metric.parameters()} == {torch.float32}


def changed(good: Path, path: Path, change, description=None) -> Path:
    """A copy of the good file with its tensors, or its description, changed."""
    tensors = load_file(good)
    change(tensors)
    told = read_file(good).description | (description or {})
    told = {key: value for key, value in told.items() if value is not None}
    save_file(tensors, path, metadata={"sriqa": json.dumps(told)})
    return path


def put(name, value):
    return lambda tensors: tensors.__setitem__(name, value(tensors.get(name)))


def told(names, rows):
    """Cases, with their rows of the table where they have one."""
    return [
        pytest.param(name, marks=[answers(HUB, *rows[name])] if name in rows else [])
        for name in names
    ]


HOSTILE = {
    "missing tensor": (
        lambda tensors: tensors.pop(SOME),
        None,
        f"1 tensor missing ('{SOME}'",
    ),
    "extra tensor": (put("stowaway", lambda _: torch.zeros(1)), None, "1 unknown ('stowaway'"),
    "wrong shape": (put(SOME, lambda t: t[:, :3].clone()), None, "has shape (1024, 3), not"),
    "NaN": (put(SOME, lambda t: t * torch.nan), None, "holds NaN or infinite values"),
    "infinite": (put(SOME, lambda t: t + torch.inf), None, "holds NaN or infinite values"),
    "integers": (put(SOME, lambda t: t.int()), None, "is torch.int32, not floating point"),
    "other metric": (lambda t: None, {"metric": "other"}, "weights of 'other', not of"),
    "newer format": (lambda t: None, {"format_version": 99}, "format version 99"),
    "no license": (lambda t: None, {"license": None}, "the description lacks license"),
    "bad policy": (lambda t: None, {"crop_policy": {"size": -1}}, "expected size, number, stride"),
}


# Case -> what the published table says: given, answer.
TOLD_HOSTILE = {
    "missing tensor": (
        "a weights file that lacks a tensor",
        "error that names the first",
    ),
    "extra tensor": (
        "a weights file with an unknown tensor",
        "error that names it",
    ),
    "wrong shape": (
        "a tensor of another shape",
        "error: its name and both shapes",
    ),
    "NaN": (
        "NaN or infinity among the weights",
        "error that names the tensor",
    ),
    "integers": (
        "integers where weights should be",
        "error: not floating point",
    ),
    "other metric": (
        "weights of another metric",
        "error: both names",
    ),
    "newer format": (
        "a weights file of a newer format",
        "error: update sriqa-metric",
    ),
    "bad policy": (
        "a crop policy that makes no sense",
        "error: what is expected",
    ),
    "no license": (
        "a weights file without a licence",
        "error: the description lacks it",
    ),
}


@pytest.mark.parametrize("name", told(HOSTILE, TOLD_HOSTILE))
def test_wrong_contents(name, good, tmp_path):
    change, description, message = HOSTILE[name]
    path = changed(good, tmp_path / "bad.safetensors", change, description)
    with pytest.raises(SriqaError) as caught:
        read_weights(path, SPEC)
    assert message in str(caught.value)


def header(size: int, text: bytes = b"") -> bytes:
    return size.to_bytes(8, "little") + text


def overlapping() -> bytes:
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    text = json.dumps({"a": tensor, "b": tensor}).encode()
    return header(len(text), text) + bytes(8)


class Bomb:
    """What must never be unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


def saved_by_torch() -> bytes:
    stream = io.BytesIO()
    torch.save(Bomb(), stream)
    return stream.getvalue()


BROKEN = {
    "empty": (lambda data: b"", "not a whole safetensors file"),
    "cut short": (lambda data: data[:-1], "not a whole safetensors file"),
    "cut in the header": (lambda data: data[:100], "not a whole safetensors file"),
    "text": (lambda data: b"These are not weights.", "it claims a header of"),
    "pickle": (lambda data: pickle.dumps(Bomb()), "it claims a header of"),
    "torch.save": (lambda data: saved_by_torch(), "it claims a header of"),
    "huge header": (lambda data: header(2**40) + data[8:], "it claims a header of 1099511627776"),
    "long header": (lambda data: header(10**6 + 1) + data[8:], "it claims a header of 1000001"),
    "overlapping offsets": (lambda data: overlapping(), "not a whole safetensors file"),
}


TOLD_BROKEN = {
    "pickle": (
        "a pickle as weights",
        "error; nothing of it is run",
    ),
    "torch.save": (
        "a torch.save file as weights",
        "error; nothing of it is run",
    ),
    "huge header": (
        "a header that claims a terabyte",
        "error, before anything is read",
    ),
    "overlapping offsets": (
        "tensors that share bytes of the file",
        "error: not a whole safetensors file",
    ),
}


@pytest.mark.parametrize("name", told(BROKEN, TOLD_BROKEN))
def test_broken_files(name, good, tmp_path):
    change, message = BROKEN[name]
    path = tmp_path / "sriqa_lite.safetensors"
    path.write_bytes(change(good.read_bytes()))
    with pytest.raises(WeightsError) as caught:
        read_weights(path, SPEC)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_foreign_safetensors_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="no description 'sriqa' in the header"):
        read_weights(path, SPEC)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(WeightsError, match="No such file"):
        sriqa.load(weights=tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="Is a directory"):
        sriqa.load(weights=tmp_path)


def test_the_stored_policy_can_be_overridden(good, picture):
    policy = CropPolicy(number=1)
    metric = sriqa.load(weights=good, policy=policy)
    assert metric.policy == policy
    plain = sriqa.load(weights=good)
    assert plain.policy == CropPolicy(number=3)
    assert metric.score(picture) != plain.score(picture)


def test_metrics_without_released_weights_say_the_ways_out(monkeypatch):
    monkeypatch.delenv(REPO_VARIABLE, raising=False)
    with pytest.raises(WeightsError) as caught:
        sriqa.load("sriqa_dbcnn")
    ways_out = ("sriqa_lite", "--weights FILE", "SRIQA_WEIGHTS_REPO=org/name", "sriqa-calibrate")
    for words in ("no weights are released", *ways_out):
        assert words in str(caught.value)


def test_a_local_file_serves_a_metric_without_released_weights(tmp_path, picture):
    path = tmp_path / "dbcnn.safetensors"
    model = find_spec("sriqa_dbcnn").build()
    policy = CropPolicy(number=1)
    metric = CalibratedMetric("sriqa_dbcnn", model, Rectifier(model.feature_dim), policy)
    save_weights(path, metric, {"training_data": "none, random weights"})
    again = sriqa.load("sriqa_dbcnn", weights=path)
    assert again.score(picture) == pytest.approx(metric.score(picture), abs=1e-3)


def test_unknown_names_are_quoted():
    with pytest.raises(SriqaError, match="unknown metric 'sriqa_light'; known: sriqa_lite"):
        sriqa.load("sriqa_light")


@answers(HUB, "a FIFO, a device or `<(…)` as weights", "error, at once: no regular file")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs")
def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero")):
        for read in (lambda p: load_source(str(p)), lambda p: sriqa.load(weights=p), read_header):
            with pytest.raises(WeightsError, match=f"{path}: is no regular file"):
                read(path)


@answers(HUB, "a file name with NUL in it", "error")
def test_a_name_with_nul_is_an_error():
    with pytest.raises(WeightsError, match="null"):
        sriqa.load(weights="a\0b")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        pytest.param(
            "gpu",
            "unknown device 'gpu'",
            marks=answers(HUB, "a device that torch does not know", "error that quotes it"),
        ),
        pytest.param(
            "mps",
            "device 'mps': does not work here",
            marks=[
                answers(HUB, "a device that is not here (`mps`, `xpu`)", "error that says why"),
                pytest.mark.skipif(torch.backends.mps.is_available(), reason="is here"),
            ],
        ),
        ("meta", "device 'meta' computes nothing"),
        ("", "unknown device ''"),
        (3.5, "unknown device 3.5"),
    ],
)
def test_devices_that_are_none(device, words):
    with pytest.raises(SriqaError, match=words):
        find_device(device)


@answers(HUB, '`device="cuda:7"` where there are two', "error that lists `cuda:0`, `cuda:1`")
def test_a_device_beyond_those_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(SriqaError, match="'cuda:7': there is no such device, only 'cuda:0', 'cu"):
        find_device("cuda:7")
