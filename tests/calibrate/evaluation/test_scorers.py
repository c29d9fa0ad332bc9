"""Metrics by name, and scores from files."""

import builtins
import hashlib
import sys
import types

import numpy as np
import pytest
import torch

from sriqa_metric.calibrate.evaluation.data_sets import read_data_set
from sriqa_metric.calibrate.evaluation.scorers import make_scorer, read_score_tables
from sriqa_metric.errors import SriqaError
from sriqa_metric.metric import CalibratedMetric
from tests.conftest import EXAMPLES

PATHS = sorted(EXAMPLES.glob("c*.png"))[:2]


def test_ours_scores_as_everywhere(lite):
    scorer = make_scorer("sriqa_lite")
    assert list(scorer.score(PATHS)) == pytest.approx(lite.score(PATHS), abs=1e-5)
    assert scorer.weights_id == lite.weights_id


def test_uncalibrated_is_the_quality_model_alone(lite):
    scorer = make_scorer("sriqa_lite:uncalibrated")
    bare = CalibratedMetric("bare", lite.quality_model, None, lite.policy)
    assert list(scorer.score(PATHS)) == pytest.approx(bare.score(PATHS), abs=1e-5)
    assert scorer.weights_id == f"{lite.weights_id}:uncalibrated"


@pytest.fixture
def fake_pyiqa(monkeypatch):
    """A pyiqa of three metrics: darkness (lower is better), one that fails, one that needs more."""

    class Metric:
        def __init__(self, name):
            self.lower_better = name == "dark"
            self.fails = name == "fails"

        def __call__(self, image):
            assert image.shape[:2] == (1, 3)
            assert image.dtype == torch.float32
            if self.fails:
                raise RuntimeError("too\nsmall")
            return 1 - image.mean().reshape(1, 1)

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


def test_pyiqas_sign_is_turned_where_lower_is_better(fake_pyiqa, capsys, tmp_path):
    scorer = make_scorer("dark")
    found = list(scorer.score([*PATHS, tmp_path / "none.png"]))
    assert capsys.readouterr().out == ""
    assert scorer.weights_id == "pyiqa 9.9 dark"
    assert -1 < found[0] < 0
    assert isinstance(found[2], SriqaError)
    (failed,) = make_scorer("fails").score(PATHS[:1])
    assert str(failed) == f"{PATHS[0]}: fails has no score: RuntimeError: too small"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("psnr", "pyiqa's 'psnr' needs a reference"),
        ("fid", "pyiqa's 'fid' scores sets of images"),
        ("sriqa_lit", "unknown metric 'sriqa_lit'; did you mean sriqa_lite"),
        ("zzz", "unknown metric 'zzz'; ours: sriqa_lite"),
        ("far", "'far' cannot be made here: OSError: Name or service not known; score .* --scores"),
    ],
)
def test_metrics_that_cannot_be_had(fake_pyiqa, name, message):
    with pytest.raises(SriqaError, match=message):
        make_scorer(name)


def test_without_pyiqa_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr("sriqa_metric.calibrate.evaluation.scorers.find_module", lambda name: None)
    imported = builtins.__import__

    def no_pyiqa(name, *rest):
        assert not name.startswith("pyiqa")
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_pyiqa)
    with pytest.raises(SriqaError, match=r"unknown metric 'piqe'.*sriqa-metric\[pyiqa\]"):
        make_scorer("piqe")


def test_a_real_metric_of_pyiqa():
    pytest.importorskip("pyiqa")
    found = list(make_scorer("piqe").score(PATHS[:1]))
    assert -100 <= found[0] <= 0  # PIQE is 0 to 100, lower is better


def test_scores_are_matched_by_path_or_unique_name(mos_root):
    data_set = read_data_set(f"mos={mos_root}")
    lines = [f"./{k}.png,{k}" for k in range(6)] + [f"{k}.png,{k}" for k in range(6, 11)]
    file = mos_root / "other.csv"
    file.write_text("\n".join(["path,score", *lines, f"{mos_root}/11.png,11", ""]))
    (table,) = read_score_tables(file)
    assert table.name == "other"
    assert table.weights_id[12:] == hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    assert table.scores_of(data_set).tolist() == list(range(12))


def test_names_that_are_not_unique_need_their_folder(tmp_path):
    (tmp_path / "labels.csv").write_text("path,mos\na/1.png,1\nb/1.png,2\nc/2.png,3\n")
    data_set = read_data_set(f"mos={tmp_path}")
    (tmp_path / "s.csv").write_text("path,score\n1.png,1\n2.png,5\nb/1.png,4\n")
    (table,) = read_score_tables(tmp_path / "s.csv")
    with pytest.raises(SriqaError, match=r"s: no score of 1 of 3 images of \S+: a/1.png$"):
        table.scores_of(data_set)


def test_realsr1ks_names_say_which_image_it_is(real_data, tmp_path):
    data_set = read_data_set(f"realsr1k={real_data / 'realsr1k'}")
    names = sorted({path.name for path in data_set.paths})
    assert len(names) < len(data_set.paths)
    lines = [f"{name},{k}" for k, name in enumerate(names)]
    (tmp_path / "s.csv").write_text("\n".join(["path,score", *lines, ""]))
    scores = read_score_tables(tmp_path / "s.csv")[0].scores_of(data_set)
    assert scores.tolist() == [names.index(path.name) for path in data_set.paths]


def test_one_file_may_hold_several_metrics(tmp_path):
    (tmp_path / "s.csv").write_text("path,score,metric\na,1,x\na,2,y\nb,3,x\n")
    tables = read_score_tables(tmp_path / "s.csv")
    assert {table.name: table.scores for table in tables} == {
        "x": {"a": 1, "b": 3},
        "y": {"a": 2},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\na\n", "no column score; expected path,score"),
        ("path,score\n", "no scores, only a header"),
        ("path,score\na,nan\n", "line 2: score is 'nan', not a number"),
        ("path,score\na,1\n./a,2\n", "line 3: 'a' is scored twice"),
        (None, "No such file or directory; expected a CSV file path,score"),
    ],
)
def test_broken_files_of_scores(tmp_path, text, message):
    if text is not None:
        (tmp_path / "s.csv").write_text(text)
    with pytest.raises(SriqaError, match=message):
        read_score_tables(tmp_path / "s.csv")


def test_missing_scores_are_counted(mos_root):
    data_set = read_data_set(f"mos={mos_root}")
    (mos_root / "s.csv").write_text("path,score\n3.png,1\n")
    message = "no score of 11 of 12 images of made: 0.png, 1.png, 2.png, 4.png, 5.png and 6 more"
    with pytest.raises(SriqaError, match=message):
        read_score_tables(mos_root / "s.csv")[0].scores_of(data_set)
    assert np.array_equal(data_set.images.mos, np.arange(12.0) ** 2)
