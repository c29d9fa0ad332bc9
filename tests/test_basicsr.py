"""`calculate_sriqa`, and its way through the real BasicSR where that is installed.

BasicSR 1.4.2 itself cannot be imported beside torchvision 0.17 or newer; `basicsr-fixed` is the
same package with that one import mended.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from sriqa_metric import basicsr
from sriqa_metric.basicsr import calculate_sriqa
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from tests.conftest import EXAMPLES
from tests.random_weights import save_random

answers = pytest.mark.answers
MODULES = "Modules"
COFFEE = EXAMPLES / "coffee_realesrgan_x4plus.png"


@pytest.fixture(scope="module")
def bgr() -> np.ndarray:
    """What BasicSR has in memory of a result that it writes as COFFEE."""
    return np.ascontiguousarray(np.asarray(Image.open(COFFEE).convert("RGB"))[:, :, ::-1])


@answers(MODULES, "BasicSR's BGR array of a result", "the score of the file that it writes of it")
def test_the_score_is_that_of_the_file(bgr, lite):
    score = calculate_sriqa(bgr, img2=np.zeros_like(bgr), crop_border=0, better="higher")
    assert type(score) is float
    assert score == pytest.approx(lite.score(COFFEE), abs=1e-5)
    assert calculate_sriqa(bgr[:, :, ::-1]) != pytest.approx(score, abs=1e-3)  # colours count


@pytest.mark.parametrize("crop", [0, 1, 4])
def test_borders_are_cropped_as_for_psnr(bgr, lite, crop):
    kept = bgr[crop:-crop, crop:-crop] if crop else bgr
    expected = lite.score(np.ascontiguousarray(kept[:, :, ::-1]))
    assert calculate_sriqa(bgr, crop_border=crop) == pytest.approx(expected, abs=1e-5)


def test_other_orders_and_gray(bgr, lite):
    expected = calculate_sriqa(bgr)
    assert calculate_sriqa(bgr.transpose(2, 0, 1), input_order="CHW") == expected
    gray = bgr[:, :, 1]
    for given in (gray, gray[:, :, None]):
        assert calculate_sriqa(given) == pytest.approx(lite.score(gray), abs=1e-5)
    assert calculate_sriqa(gray, input_order="CHW") == calculate_sriqa(gray)


def test_a_weights_file_is_loaded_once(bgr, tmp_path):
    path = str(save_random("sriqa_dbcnn", tmp_path, CropPolicy(number=1)))
    first = calculate_sriqa(bgr, metric=path, device="cpu")
    Path(path).unlink()
    assert calculate_sriqa(bgr, metric=path, device="cpu") == first


def test_the_device_is_cuda_where_there_is_any(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.current_device", lambda: 3)
    assert basicsr._present_device() == "cuda:3"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert basicsr._present_device() == "cpu"


WRONG = [
    ({"better": "lower"}, "better: 'lower' keeps the worst result; write better: higher"),
    ({"input_order": "WHC"}, "input_order is 'WHC'; it must be HWC or CHW"),
    ({"crop_border": 16}, "crop_border: 16 leaves nothing of 40×32 pixels"),
    ({"crop_border": -1}, "crop_border: -1 leaves nothing of 40×32 pixels"),
    ({"metric": "sriqa"}, "'sriqa' is neither a weights file nor one of the metrics sriqa_lite"),
    ({"input_order": "CHW"}, "expected CHW of 1 or 3 channels, got HWC shape (40, 3, 32)"),
    ({"img": np.zeros((1, 3, 9, 9), np.uint8)}, "got HWC shape (1, 3, 9, 9)"),
    ({"img": np.full((32, 40, 3), 255.0)}, "got 255.0; divide 8-bit values by 255"),
    ({"device": "gpu"}, "unknown device 'gpu'"),
]


@answers(MODULES, "a wrong option of `calculate_sriqa`", "error that quotes it")
@pytest.mark.parametrize(("given", "told"), WRONG)
def test_a_wrong_option_is_an_error(given, told):
    with pytest.raises(SriqaError) as error:
        calculate_sriqa(**{"img": np.zeros((32, 40, 3), np.uint8)} | given)
    assert told in str(error.value)


def test_an_option_that_there_is_not_is_an_error():
    with pytest.raises(TypeError, match="'wieghts'"):
        calculate_sriqa(np.zeros((32, 40, 3), np.uint8), wieghts="a")


_SCRIPT = """
import sys
from basicsr.test import test_pipeline
from basicsr.utils.registry import METRIC_REGISTRY
from sriqa_metric.basicsr import calculate_sriqa

METRIC_REGISTRY.register(calculate_sriqa)
test_pipeline(sys.argv.pop())
"""
_OPTIONS = {
    "name": "tiny",
    "model_type": "SRModel",
    "scale": 2,
    "num_gpu": 0,
    "manual_seed": 0,
    "network_g": {"type": "MSRResNet", "num_feat": 4, "num_block": 1, "upscale": 2},
    "path": {"pretrain_network_g": None, "strict_load_g": True},
    "val": {
        "save_img": True,
        "suffix": None,
        "metrics": {
            "psnr": {"type": "calculate_psnr", "crop_border": 2},
            "sriqa": {"type": "calculate_sriqa", "crop_border": 2, "better": "higher"},
        },
    },
}


@pytest.mark.slow
@answers(MODULES, "`type: calculate_sriqa` in BasicSR's options", "its validation logs the mean")
def test_an_options_file_of_basicsr(lite, tmp_path):
    pytest.importorskip("basicsr", exc_type=ImportError)
    for folder in ("gt", "lq"):
        (tmp_path / folder).mkdir()
    for content in ("coffee", "chelsea"):
        image = Image.open(EXAMPLES / f"{content}_bicubic.png").crop((0, 0, 120, 160))
        image.save(tmp_path / "gt" / f"{content}.png")
        image.resize((60, 80)).save(tmp_path / "lq" / f"{content}.png")
    test_set = {
        "name": "Two",
        "type": "PairedImageDataset",
        "dataroot_gt": str(tmp_path / "gt"),
        "dataroot_lq": str(tmp_path / "lq"),
        "io_backend": {"type": "disk"},
    }
    options = tmp_path / "test.yml"
    options.write_text(yaml.safe_dump(_OPTIONS | {"datasets": {"test": test_set}}))
    (tmp_path / "test.py").write_text(_SCRIPT)
    done = subprocess.run(
        [sys.executable, "test.py", "-opt", options, tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout + done.stderr
    written = sorted((tmp_path / "results/tiny/visualization/Two").glob("*.png"))
    assert len(written) == 2
    arrays = [np.asarray(Image.open(path).convert("RGB"))[2:-2, 2:-2] for path in written]
    expected = np.mean(lite.score(arrays))
    assert float(re.search(r"# sriqa: ([\d.]+)", told)[1]) == pytest.approx(expected, abs=1e-4)
    assert float(re.search(r"# psnr: ([\d.]+)", told)[1]) > 0
