"""The folder of a run: whose it is, what it keeps, and what is taken back."""

import csv
import json
import subprocess
import sys

import pytest
import torch

from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.errors import SriqaError

SETTINGS = {"metric": "sriqa_lite", "seed": 0}


def rows(path):
    with (path / "log.csv").open(newline="") as stream:
        return [(r["stage"], r["step"], r["loss"], r["value"]) for r in csv.DictReader(stream)]


def test_settings_and_versions_are_written(tmp_path):
    with RunFolder(tmp_path / "run", SETTINGS):
        pass
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == SETTINGS
    versions = json.loads((tmp_path / "run" / "versions.json").read_text())
    assert versions["torch"] == torch.__version__.partition("+")[0]


def test_a_folder_is_one_run_s(tmp_path):
    with RunFolder(tmp_path, SETTINGS):
        pass
    with RunFolder(tmp_path, SETTINGS):
        pass
    with pytest.raises(SriqaError, match="holds a run with other settings"):
        RunFolder(tmp_path, SETTINGS | {"seed": 1})
    (tmp_path / "report.json").touch()
    with pytest.raises(SriqaError, match="holds a run that is finished"):
        RunFolder(tmp_path, SETTINGS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "something").touch()
    with pytest.raises(SriqaError, match="is not empty"):
        RunFolder(tmp_path / "other", SETTINGS)


def test_two_runs_in_one_folder_are_refused(tmp_path):
    code = (
        "import sys; from pathlib import Path;"
        "from sriqa_metric.calibrate.training.run_folder import RunFolder;"
        f"RunFolder(Path(sys.argv[1]), {SETTINGS!r})"
    )
    with RunFolder(tmp_path, SETTINGS):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
        )
    assert "another run is at work in this folder" in done.stderr
    with RunFolder(tmp_path, SETTINGS):
        pass


def test_a_stage_goes_on_from_its_last_checkpoint(tmp_path):
    state = {"weight": torch.arange(3.0), "best": 0.25, "names": ["a", "b"]}
    with RunFolder(tmp_path, SETTINGS) as folder:
        assert folder.resume("one") is None
        folder.log("other", 9, {"loss": 1})
        for step in range(4):
            folder.log("one", step, {"loss": step / 2, "odd": step})
            if step == 2:
                folder.save("one", step, state)
    with RunFolder(tmp_path, SETTINGS) as folder:
        step, found = folder.resume("one")
    assert step == 2
    assert torch.equal(found.pop("weight"), state.pop("weight"))
    assert found == state
    assert rows(tmp_path) == [("other", "9", "loss", "1")] + [
        ("one", str(step), name, value)
        for step, values in enumerate([("0", "0"), ("0.5", "1"), ("1", "2")])
        for name, value in zip(("loss", "odd"), values, strict=True)
    ]


def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path):
    with RunFolder(tmp_path, SETTINGS) as folder:
        folder.log("one", 1, {"loss": 1})
        folder.save("one", 1, {})
    with (tmp_path / "log.csv").open("a") as stream:
        stream.write("3.1,one,2,lo")
    with RunFolder(tmp_path, SETTINGS) as folder:
        folder.resume("one")
    assert rows(tmp_path) == [("one", "1", "loss", "1")]


def test_a_checkpoint_cut_short_by_a_kill_does_not_count(tmp_path):
    with RunFolder(tmp_path, SETTINGS) as folder:
        folder.save("one", 1, {"x": torch.ones(1)})
        (tmp_path / "one.partial").write_bytes(b"half")
        assert folder.resume("one")[0] == 1
