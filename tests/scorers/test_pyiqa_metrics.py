"""Metrics of pyiqa: directions, ground truth, and those that cannot be had."""

import builtins
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image

from sriqa_metric.errors import SriqaError
from sriqa_metric.scorers.make import make_scorer
from sriqa_metric.scorers.options import Options
from tests.conftest import EXAMPLES

LUMA = {"psnr": False, "psnry": True, "ssim": True, "ssimc": False}
PATHS = sorted(EXAMPLES.glob("c*.png"))[:2]


@pytest.fixture
def fake_pyiqa(monkeypatch):
    """A pyiqa of three metrics: darkness (lower is better), one that fails, one that needs more."""

    class Metric:
        def __init__(self, name):
            self.lower_better = name == "dark"
            self.fails = name == "fails"

        def __call__(self, image, *truth):
            for each in (image, *truth):
                assert each.shape[:2] == (1, 3)
                assert each.dtype == torch.float32
            if self.fails:
                raise RuntimeError("too\nsmall")
            return (truth[0] - image if truth else 1 - image).mean().reshape(1, 1)

    def create_metric(name, device):
        print("Loading pretrained model")
        if name == "far":
            raise OSError("Name or service not known")
        return Metric(name)

    configs = {
        name: {"metric_mode": mode}
        for name, mode in (
            ("dark", "NR"),
            ("fails", "NR"),
            ("far", "NR"),
            ("fid", "NR"),
            ("psnr", "FR"),
        )
    }
    fake = types.ModuleType("pyiqa")
    fake.__version__, fake.create_metric = "9.9", create_metric
    fake.__spec__ = types.SimpleNamespace(name="pyiqa")
    settings = types.ModuleType("pyiqa.default_model_configs")
    settings.DEFAULT_CONFIGS = configs
    monkeypatch.setitem(sys.modules, "pyiqa", fake)
    monkeypatch.setitem(sys.modules, "pyiqa.default_model_configs", settings)


def test_scores_and_direction_are_pyiqas(fake_pyiqa, capsys, tmp_path):
    scorer = make_scorer("dark")
    found = list(scorer.score([*PATHS, tmp_path / "none.png"]))
    assert capsys.readouterr().out == ""
    assert scorer.weights_id == "pyiqa 9.9 dark"
    assert (scorer.higher_is_better, scorer.needs_reference, scorer.cached) == (False, False, True)
    assert 0 < found[0] < 1
    assert isinstance(found[2], SriqaError)
    (failed,) = make_scorer("fails").score(PATHS[:1])
    assert str(failed) == f"{PATHS[0]}: fails has no score: RuntimeError: too small"


@pytest.fixture
def truths(tmp_path) -> list[Path]:
    """White ground truth of the size of results, and one of another size."""
    paths = [tmp_path / "right.png", tmp_path / "other.png"]
    with Image.open(PATHS[0]) as image:
        width, height = image.size
    Image.new("RGB", (width, height), "white").save(paths[0])
    Image.new("RGB", (width, height + 4), "white").save(paths[1])
    return paths


def test_ground_truth_goes_to_the_metrics_that_need_it(fake_pyiqa, truths):
    scorer = make_scorer("psnr", references=True)
    assert (scorer.higher_is_better, scorer.needs_reference) == (True, True)
    (found,) = scorer.score(PATHS[:1], truths[:1])
    (dark,) = make_scorer("dark", references=True).score(PATHS[:1])
    assert found == pytest.approx(dark)


@pytest.mark.answers(
    "Image files",
    "ground truth of another size than the result, for `sriqa-compare --metric psnr --gt DIR`",
    "error of that result, with both sizes; the other results are scored",
)
def test_ground_truth_of_another_size_is_the_files_error(fake_pyiqa, truths):
    scorer = make_scorer("psnr", references=True)
    paths = [PATHS[0]] * 4
    found = list(scorer.score(paths, [truths[1], truths[0], truths[0], truths[1]]))
    with Image.open(PATHS[0]) as image:
        width, height = image.size
    assert str(found[0]) == str(found[3])
    assert str(found[0]) == (
        f"{PATHS[0]}: is {width}×{height}, but its ground truth {truths[1]} {width}×{height + 4}; "
        "crop the ground truth to what was super-resolved"
    )
    assert found[1] == found[2] > 0


def test_ground_truth_that_is_no_image_is_named(fake_pyiqa, truths):
    truths[1].write_bytes(b"")
    found = list(make_scorer("psnr", references=True).score([PATHS[0]] * 2, truths[::-1]))
    assert str(found[0]).startswith(f"{truths[1]}: is empty")
    assert found[1] > 0


def test_a_limit_of_pixels_holds_for_all(fake_pyiqa):
    scorer = make_scorer("dark", Options(max_pixels=10))
    (found,) = scorer.score(PATHS[:1])
    assert "raise max_pixels" in str(found)
    assert not scorer.cached  # what is known of larger images must not come back


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("psnr", "pyiqa's 'psnr' needs the ground truth of each image; .* takes it with --gt DIR"),
        ("fid", "pyiqa's 'fid' scores sets of images"),
        ("sriqa_lit", "unknown metric 'sriqa_lit'; did you mean sriqa_lite"),
        ("zzz", "unknown metric 'zzz'; ours: sriqa_lite"),
        ("far", "'far' cannot be made here: OSError: Name or service not known; score .* --scores"),
    ],
)
@pytest.mark.answers(
    "Names and lists",
    "`--metric` with a name that nobody knows",
    "error with the nearest names, and where pyiqa lists its own",
)
@pytest.mark.answers(
    "Names and lists",
    "`--metric psnr` without `--gt`",
    "error that names `--gt`, before anything is scored",
)
@pytest.mark.answers(
    "Names and lists",
    "`--metric` with one of pyiqa's whose weights cannot be downloaded",
    "error that names `--scores`",
)
def test_metrics_that_cannot_be_had(fake_pyiqa, name, message):
    with pytest.raises(SriqaError, match=message):
        make_scorer(name)


def test_without_pyiqa_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr("sriqa_metric.scorers.pyiqa_metrics.find_module", lambda name: None)
    imported = builtins.__import__

    def no_pyiqa(name, *rest):
        assert not name.startswith("pyiqa")
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_pyiqa)
    with pytest.raises(SriqaError, match=r"unknown metric 'piqe'.*sriqa-metric\[pyiqa\]"):
        make_scorer("piqe")


def test_the_list_of_pyiqas_metrics_is_asked_for_as_it_says():
    pyiqa = find_spec("pyiqa")
    if pyiqa is None:
        pytest.skip("pyiqa is not installed")
    with pytest.raises(SriqaError) as error:
        make_scorer("zzz")
    option = str(error.value).removesuffix(")").split()[-1]
    assert f"'{option}'" in (Path(pyiqa.origin).parent / "pyiqa_cmd.py").read_text()


def test_real_metrics_of_pyiqa():
    pytest.importorskip("pyiqa")
    scorer = make_scorer("piqe")
    (found,) = scorer.score(PATHS[:1])
    assert 0 <= found <= 100
    assert not scorer.higher_is_better
    scorer = make_scorer("psnr", references=True)
    assert scorer.higher_is_better
    (same, other) = scorer.score([PATHS[0], *PATHS[:1]], [PATHS[0]] * 2)
    assert same == other == pytest.approx(80)  # what pyiqa gives for no difference


def test_which_channels_pyiqa_compares():
    pytest.importorskip("pyiqa")
    from pyiqa.default_model_configs import DEFAULT_CONFIGS

    luma = {n: DEFAULT_CONFIGS[n]["metric_opts"]["test_y_channel"] for n in LUMA}
    assert luma == LUMA
