"""The folder of a run: whose it is, what it keeps, and what is taken back."""

import csv
import json
import subprocess
import sys

import pytest
import torch

from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.errors import SriqaError

answers = pytest.mark.answers
RUNS = "Training runs"
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


@answers(
    RUNS,
    "a folder of a run with other settings",
    "error: give a new folder",
)
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


@answers(
    RUNS,
    "two runs in one folder at a time",
    "error for the second",
)
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


@answers(
    RUNS,
    "a log line cut short by a kill",
    "dropped",
)
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


@answers(RUNS, "an input that changed, is new or is missing since the kill", "error that names it")
@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"a": "1", "b": "9"}, "changed: b; put back what was there, or give the run a new folder"),
        ({"a": "1", "b": "2", "c": "3"}, "new: c;"),
        ({"a": "1"}, "missing: b;"),
        ({"a": "2", "c": "2"}, "changed: a; new: c; missing: b;"),
    ],
)
def test_other_inputs_are_named(tmp_path, inputs, told):
    with RunFolder(tmp_path, SETTINGS, {"a": "1", "b": "2"}):
        pass
    with pytest.raises(SriqaError) as caught:
        RunFolder(tmp_path, SETTINGS, inputs)
    assert told in str(caught.value)
    with RunFolder(tmp_path, SETTINGS, {"b": "2", "a": "1"}):
        pass


@answers(RUNS, "a run file that is no UTF-8, or no JSON", "error that names it and the way out")
@pytest.mark.parametrize("name", ["config.json", "inputs.json"])
@pytest.mark.parametrize("data", [b"\xff\xfe", b"[" * 200_000, b"[]", b"3", b"", b"{"])
def test_damaged_run_files_are_one_error(tmp_path, name, data):
    with RunFolder(tmp_path, SETTINGS):
        pass
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SriqaError, match=r"give (the run|this one) a new folder"):
        RunFolder(tmp_path, SETTINGS)


@answers(RUNS, "a log.csv that is no text", "error that names it: delete it, the run goes on")
def test_a_damaged_log_is_one_error(tmp_path):
    with RunFolder(tmp_path, SETTINGS) as folder:
        folder.log("one", 1, {"loss": 1})
        (tmp_path / "log.csv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(SriqaError, match=r"log\.csv: is damaged.*delete it"):
            folder.resume("one")
        (tmp_path / "log.csv").unlink()
        folder.resume("one")
        (tmp_path / "log.csv").mkdir()
        with pytest.raises(SriqaError, match=r"log\.csv: cannot be read: Is a directory"):
            folder.resume("one")


@answers(RUNS, "a labelled set whose name has a comma or a quote", "log.csv keeps it whole")
def test_names_in_the_log_may_hold_anything(tmp_path):
    name = 'my "best", set srcc'
    with RunFolder(tmp_path, SETTINGS) as folder:
        for step in (1, 2):
            folder.log("one", step, {name: 1})
        folder.save("one", 1, {})
        folder.resume("one")
    assert rows(tmp_path) == [("one", "1", name, "1")]


@answers(RUNS, "a file where the folder of a run should be", "error that names it")
def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(SriqaError, match="run: is no folder"):
        RunFolder(tmp_path / "run", SETTINGS)
