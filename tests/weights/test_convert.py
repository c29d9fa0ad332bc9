"""Published checkpoints become weights files that score the same; bad ones run nothing."""

import math
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch
from torch.torch_version import TorchVersion

from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.clip import ClipQualityModel
from sriqa_metric.weights.convert import IDENTITY, convert
from sriqa_metric.weights.format import read_file
from sriqa_metric.weights.load import load
from tests.random_weights import random_metric

TOLD = ("KonIQ-10k", "CC-BY-4.0")
TOLERANCE = 2e-3  # float16 on disk


@pytest.fixture(scope="module")
def dbcnn() -> dict[str, torch.Tensor]:
    """As pyiqa publishes it: the batch norms also count batches."""
    state = random_metric("sriqa_dbcnn").quality_model.state_dict()
    counts = [name for name in state if name.endswith(".running_mean")]
    return state | {
        name.replace("running_mean", "num_batches_tracked"): torch.tensor(7) for name in counts
    }


def saved(folder: Path, checkpoint: object) -> Path:
    path = folder / "checkpoint.pt"
    torch.save(checkpoint, path)
    return path


@pytest.mark.parametrize("name", ["sriqa_dbcnn", "sriqa_hyperiqa"])
def test_scores_are_those_of_the_quality_model(name, tmp_path, picture):
    metric = random_metric(name, CropPolicy(number=1))
    path = saved(tmp_path, {"params": metric.quality_model.state_dict()})
    assert convert(path, name, tmp_path / "out.safetensors", *TOLD) == []
    converted = load(name, tmp_path / "out.safetensors", policy=metric.policy)
    plain = CalibratedMetric(name, metric.quality_model, None, metric.policy)
    assert converted.score(picture) == pytest.approx(plain.score(picture), abs=TOLERANCE)


def test_file_tells_its_making(dbcnn, tmp_path):
    path = saved(tmp_path, {"params": dbcnn})
    convert(path, "sriqa_dbcnn", tmp_path / "out.safetensors", *TOLD)
    description = read_file(tmp_path / "out.safetensors").description
    assert (description["training_data"], description["license"]) == TOLD
    assert description["rectifier"] == IDENTITY
    assert description["converted_from"]["file"] == "checkpoint.pt"
    assert len(description["converted_from"]["sha256"]) == 64


def test_any_wrapping_and_precision_gives_the_same_tensors(dbcnn, tmp_path):
    half = {name: tensor.half() for name, tensor in dbcnn.items()}
    checkpoints = [
        dbcnn,
        {"params": dbcnn},
        {
            "model_state_dict": {f"module.{name}": tensor for name, tensor in dbcnn.items()},
            "optimizer_state_dict": {"state": {}},
            "epoch": 3,
        },
        half,
    ]
    found = []
    for checkpoint in checkpoints:
        convert(saved(tmp_path, checkpoint), "sriqa_dbcnn", tmp_path / "out", *TOLD)
        found.append(read_file(tmp_path / "out").tensors)
    for tensors in found[1:]:
        assert all(torch.equal(tensors[name], value) for name, value in found[0].items())


def test_the_same_checkpoint_gives_the_same_bytes(dbcnn, tmp_path):
    path = saved(tmp_path, dbcnn)
    state = torch.get_rng_state()
    for name in ("a", "b"):
        convert(path, "sriqa_dbcnn", tmp_path / name, *TOLD)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_rectifier_in_the_checkpoint_is_left_out_and_told(dbcnn, tmp_path):
    checkpoint = {
        "model_state_dict": dbcnn | {"module.rectifier.0.weight": torch.ones(2, 2)},
        "Rectifier_state_dict": {"0.weight": torch.ones(2, 2)},
    }
    left_out = convert(saved(tmp_path, checkpoint), "sriqa_dbcnn", tmp_path / "out", *TOLD)
    assert left_out == ["Rectifier_state_dict", "module.rectifier.0.weight"]
    tensors = read_file(tmp_path / "out").tensors
    assert tensors["rectifier.out.weight"].count_nonzero() == 0


class Trap:
    """Unpickled without care, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_a_checkpoint_that_would_run_code_is_refused_and_runs_nothing(form, dbcnn, tmp_path):
    path, sprung = tmp_path / "checkpoint.pt", tmp_path / "sprung"
    checkpoint = dbcnn | {"epoch": Trap(sprung)}
    if form == "pickle":
        path.write_bytes(pickle.dumps({"epoch": Trap(sprung)}, protocol=2))
    else:
        torch.save(checkpoint, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(SriqaError) as caught:
        convert(path, "sriqa_dbcnn", tmp_path / "out", *TOLD)
    message = str(caught.value)
    assert message.startswith(f"{path}: the checkpoint ")
    assert "nothing of it was run; save its tensors alone" in message
    assert "\n" not in message
    assert "weights_only" not in message  # torch tells how to run it all the same
    assert not sprung.exists()
    assert not (tmp_path / "out").exists()


DAMAGED = {
    "empty": lambda data: b"",
    "text": lambda data: b"These are not weights.",
    "cut short": lambda data: data[:-200],
    "cut early": lambda data: data[:100],
    "zeros inside": lambda data: data[:500] + bytes(500) + data[1000:],
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_are_one_clear_error(name, zipped, tmp_path):
    path = tmp_path / "checkpoint.pt"
    tensors = {str(i): torch.randn(20) for i in range(9)}
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(DAMAGED[name](path.read_bytes()))
    with pytest.raises(SriqaError) as caught:
        convert(path, "sriqa_dbcnn", tmp_path / "out", *TOLD)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    for path, reason in ((tmp_path / "none.pt", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SriqaError, match=f"cannot read the checkpoint: {reason}"):
            convert(path, "sriqa_dbcnn", tmp_path / "out", *TOLD)


WRONG = {
    "missing": (lambda t: t.pop("fc.bias"), "1 tensor missing ('fc.bias'"),
    "unknown": (lambda t: t.update(more=torch.ones(1)), "1 unknown ('more'"),
    "shape": (lambda t: t.update({"fc.bias": torch.ones(2)}), "'fc.bias' has shape (2,), not (1,)"),
    "NaN": (lambda t: t.update({"fc.bias": torch.tensor([math.nan])}), "'fc.bias' holds NaN"),
    "too large": (lambda t: t.update({"fc.bias": torch.tensor([1e6])}), "does not fit float16"),
    "number": (lambda t: t.update({"fc.bias": 1.0}), "'fc.bias' is a float, no tensor"),
    "integers": (lambda t: t.update({"fc.bias": torch.ones(1).int()}), "no plain tensor of floats"),
    "sparse": (lambda t: t.update({"fc.bias": torch.ones(1).to_sparse()}), "no plain tensor"),
    "meta": (lambda t: t.update({"fc.bias": torch.ones(1, device="meta")}), "no plain tensor"),
    "endless": (lambda t: t.update(x=torch.ones(1).half().expand(10**13)), "no plain tensor"),
    "odd names": (lambda t: t.update({3: torch.ones(1)}), "1 unknown ('3'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_named(name, dbcnn, tmp_path):
    change, message = WRONG[name]
    tensors = dict(dbcnn)
    change(tensors)
    with pytest.raises(SriqaError) as caught:
        convert(saved(tmp_path, tensors), "sriqa_dbcnn", tmp_path / "out", *TOLD)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("checkpoint", [[1, 2], torch.ones(2), {"params": torch.ones(2)}])
def test_what_is_no_state_dict_is_refused(checkpoint, tmp_path):
    with pytest.raises(SriqaError, match=r"holds a (list|Tensor), no named tensors"):
        convert(saved(tmp_path, checkpoint), "sriqa_dbcnn", tmp_path / "out", *TOLD)


def test_a_checkpoint_of_another_network_is_refused(dbcnn, tmp_path):
    with pytest.raises(SriqaError, match=r"tensors missing .* unknown"):
        convert(saved(tmp_path, dbcnn), "sriqa_hyperiqa", tmp_path / "out", *TOLD)


def test_output_that_cannot_be_written_is_named(dbcnn, tmp_path):
    with pytest.raises(SriqaError, match="no/folder/out: cannot be written"):
        convert(saved(tmp_path, dbcnn), "sriqa_dbcnn", tmp_path / "no/folder/out", *TOLD)


def test_a_torch_whose_reader_is_not_safe_is_refused(dbcnn, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.5.1+cpu"))
    with pytest.raises(SriqaError, match=r"needs torch 2\.6 or newer: torch 2\.5\.1"):
        convert(saved(tmp_path, dbcnn), "sriqa_dbcnn", tmp_path / "out", *TOLD)


# CLIP: importing open_clip and building the whole network take most of the time of these tests.


@pytest.fixture(scope="module")
def clip() -> torch.nn.Module:
    """A whole CLIP ViT-B/32 with random weights that scores crops differently."""
    open_clip = pytest.importorskip("open_clip")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = open_clip.CLIP(**open_clip.get_model_config("ViT-B-32-quickgelu"))
        clip.logit_scale.data.fill_(math.log(100))
    return clip.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def expected(clip) -> CalibratedMetric:
    open_clip = pytest.importorskip("open_clip")
    tokenizer = open_clip.get_tokenizer("ViT-B-32-quickgelu")
    model = ClipQualityModel.from_open_clip(clip, tokenizer)
    return CalibratedMetric("sriqa_clip", model, None, CropPolicy(number=2))


def as_authors_save_it(clip: torch.nn.Module, half: bool) -> dict[str, object]:
    state = {name: t.half() if half else t for name, t in clip.state_dict().items()}
    if not half:
        return {"model_state_dict": {f"module.{n}": t for n, t in state.items()}, "epoch": 7}
    sizes = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    return state | {name: torch.tensor(size) for name, size in sizes.items()}


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True], ids=["wrapped float32", "bare float16"])
def test_a_clip_scores_as_from_open_clip(half, clip, expected, tmp_path, picture):
    path = saved(tmp_path, as_authors_save_it(clip, half))
    assert convert(path, "sriqa_clip", tmp_path / "out", *TOLD) == []
    converted = load("sriqa_clip", tmp_path / "out", policy=CropPolicy(number=2))
    assert torch.allclose(converted.quality_model.text, expected.quality_model.text, atol=1e-3)
    images = [picture, picture // 4]
    scores = expected.score(images)
    assert abs(scores[0] - scores[1]) > 20 * TOLERANCE  # else the comparison would say little
    assert converted.score(images) == pytest.approx(scores, abs=TOLERANCE)


@pytest.mark.slow
def test_another_clip_is_refused(clip, tmp_path):
    state = clip.state_dict()
    patches = {"visual.conv1.weight": torch.ones(768, 3, 16, 16)}
    for change, message in (
        (patches, r"'visual\.conv1\.weight' has shape \(768, 3, 16, 16\), not \(768, 3, 32, 32\)"),
        ({"visual.layer1.0.conv1.weight": torch.ones(1)}, "1 unknown"),
    ):
        with pytest.raises(SriqaError, match=message):
            convert(saved(tmp_path, state | change), "sriqa_clip", tmp_path / "out", *TOLD)
    del state["text_projection"]
    with pytest.raises(SriqaError, match=r"1 tensor missing \('text_projection'"):
        convert(saved(tmp_path, state), "sriqa_clip", tmp_path / "out", *TOLD)


def test_missing_open_clip_is_one_clear_error(dbcnn, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(SriqaError, match=r"pip install 'sriqa-metric\[clip\]'"):
        convert(saved(tmp_path, dbcnn), "sriqa_clip", tmp_path / "out", *TOLD)
