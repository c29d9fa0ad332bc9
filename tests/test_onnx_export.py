"""A metric as an ONNX file, run by the real onnxruntime."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate
from typer.testing import CliRunner

from sriqa_metric.cli.weights import app
from sriqa_metric.errors import SriqaError, WeightsError
from sriqa_metric.images import as_float, read_image
from sriqa_metric.onnx_export import export_onnx
from sriqa_metric.registry import CATALOG, find_spec
from sriqa_metric.version import __version__
from sriqa_metric.weights.load import read_weights
from tests.conftest import EXAMPLES
from tests.random_weights import save_random

answers = pytest.mark.answers
MODULES = "Modules"
BUNDLED = CATALOG["sriqa_lite"].bundled
ANY_SIZE = (
    {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},
)


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    """Example pictures of different quality in a size of one's own."""
    names = ("coffee_realesrgan_x4plus", "chelsea_bicubic", "astronaut_dat_light_x4")
    whole = [as_float(read_image(EXAMPLES / f"{name}.png")) for name in names[:count]]
    return torch.cat([interpolate(one[None], (height, width), mode="bilinear") for one in whole])


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled metric, written by the command."""
    pytest.importorskip("onnxscript")
    path = tmp_path_factory.mktemp("onnx") / "sriqa_lite.onnx"
    command = [sys.executable, "-m", "sriqa_metric.cli.weights", "onnx", "sriqa_lite", "-o", path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{path} {read_weights(BUNDLED, find_spec('sriqa_lite')).weights_id}\n"
    assert done.stderr == ""
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return path


def session_of(file: Path):
    onnxruntime = pytest.importorskip("onnxruntime")
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="session")
def session(file: Path):
    return session_of(file)


def difference(session, metric, images: torch.Tensor) -> float:
    """The largest one between scores of onnxruntime and of torch."""
    (found,) = session.run(None, {"images": images.numpy()})
    expected = metric(images).numpy()
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max())


@pytest.mark.slow
@answers(
    MODULES,
    "an ONNX file of `sriqa-weights onnx`, with batches of any size from 32 to 700 pixels",
    "the scores of `load`, to 1e-4",
)
@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 3), height=st.integers(32, 700), width=st.integers(32, 700))
def test_any_size_and_batch_scores_as_it_does_without_onnx(session, lite, count, height, width):
    assert difference(session, lite, pictures(count, height, width)) < 1e-4
    assert difference(session, lite, pictures(1, width, height)) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "size", [(1, 1), (3, 1000), (224, 224), (223, 225), (1024, 1023), (1100, 2100)]
)
def test_sizes_at_the_edges_of_the_rules(session, lite, size):
    assert difference(session, lite, pictures(2, *size)) < 1e-4


@pytest.mark.slow
def test_the_scores_tell_pictures_apart(session):
    """So that equal scores are no accident of a constant."""
    (found,) = session.run(None, {"images": pictures(3, 120, 120).numpy()})
    assert np.ptp(found) > 1


@pytest.mark.slow
@answers(MODULES, "an ONNX file of ours", "names its metric, weights and license")
def test_the_file_says_what_it_is(file, session, lite):
    onnx = pytest.importorskip("onnx")
    onnx.checker.check_model(file, full_check=True)
    assert session.get_modelmeta().custom_metadata_map == {
        "metric": "sriqa_lite",
        "weights": lite.weights_id,
        "license": "Apache-2.0",
        "package_version": __version__,
    }
    (images,), (scores,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.type) == ("images", "tensor(float)")
    assert images.shape == ["batch", 3, "height", "width"]
    assert (scores.name, scores.shape) == ("scores", ["batch", 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CATALOG if name != "sriqa_lite"])
@answers(MODULES, "`sriqa-weights onnx` of any other metric", "an ONNX file, too")
def test_every_metric_can_be_written(name, tmp_path):
    pytest.importorskip("onnxscript")
    weights = save_random(name, tmp_path)
    metric = read_weights(weights, find_spec(name))
    assert export_onnx(weights, tmp_path / "it.onnx") == metric.weights_id
    session = session_of(tmp_path / "it.onnx")
    for size in ((1, 256, 300), (2, 90, 80)):
        assert difference(session, metric, pictures(*size)) < 1e-4


@pytest.mark.slow
@answers(
    MODULES,
    "`torch.export.export(metric, ...)` with `dynamic_shapes`",
    "scores batches of any size",
)
def test_torch_export_for_any_size(lite):
    exported = torch.export.export(
        lite, (torch.zeros(2, 3, 256, 240),), dynamic_shapes=ANY_SIZE
    ).module()
    for size in ((1, 300, 400), (3, 100, 90)):
        images = pictures(*size)
        assert torch.allclose(exported(images), lite(images), rtol=0, atol=1e-4)


@answers(MODULES, "`sriqa-weights onnx` without onnxscript", "error that says what to install")
def test_without_onnxscript(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    found = CliRunner().invoke(app, ["onnx", "sriqa_lite", "-o", str(tmp_path / "it.onnx")])
    assert found.exit_code == 2
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1
    assert "pip install 'sriqa-metric[onnx]'" in found.stderr
    assert not list(tmp_path.iterdir())


def test_what_the_exporter_cannot_write_is_one_error(monkeypatch, tmp_path):
    pytest.importorskip("onnxscript")

    def fail(*args, **kwargs):
        raise torch.onnx.OnnxExporterError("no operator, " + "and so on " * 1000)

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(SriqaError, match="sriqa_lite cannot be written as ONNX: no oper") as error:
        export_onnx(BUNDLED, tmp_path / "it.onnx")
    assert len(str(error.value)) < 500
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("output", [".", "none/it.onnx", "weights"])
def test_an_output_that_cannot_be_written_is_refused_first(output, tmp_path):
    (tmp_path / "weights").write_bytes(BUNDLED.read_bytes())
    arguments = ["onnx", str(tmp_path / "weights"), "-o", str(tmp_path / output)]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 2
    assert str(tmp_path / output) in found.stderr
    assert (tmp_path / "weights").read_bytes() == BUNDLED.read_bytes()


def test_weights_that_are_cut_off_are_an_error(tmp_path):
    (tmp_path / "cut").write_bytes(BUNDLED.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="cut"):
        export_onnx(tmp_path / "cut", tmp_path / "it.onnx")
