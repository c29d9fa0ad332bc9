"""Every example is run, by the command that its table shows."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import sriqa_metric as sriqa
from sriqa_metric.onnx_export import export_onnx
from sriqa_metric.registry import CATALOG
from tests.conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.slow  # each is a process of its own

FOLDER = ROOT / "examples"
TABLE = re.findall(r"^\| \[([\w.]+)\].*`([^`]+)` \|$", (FOLDER / "README.md").read_text(), re.M)
COMMANDS = dict(TABLE)
NOTEBOOK = FOLDER / "tour.ipynb"
METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def run(command: str, folder: Path) -> str:
    """Run `python examples/...` in a folder from which the examples can be reached."""
    if not (folder / "examples").exists():
        (folder / "examples").symlink_to(FOLDER)
    python, *arguments = command.split()
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def scores_of_examples(lite: sriqa.CalibratedMetric) -> dict[tuple[str, str], float]:
    """(method, content) -> score."""
    keys = [(m, c) for m in METHODS for c in ("astronaut", "chelsea", "coffee")]
    return dict(zip(keys, lite.score([EXAMPLES / f"{c}_{m}.png" for m, c in keys]), strict=True))


def check_score_folder(told: str, folder: Path, lite: sriqa.CalibratedMetric) -> None:
    with (folder / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {(row["method"], row["content"]): float(row["score"]) for row in rows}
    expected = scores_of_examples(lite)
    assert len(rows) == len(expected)
    assert found == pytest.approx(expected, abs=2e-5)
    assert {(row["metric"], row["weights"]) for row in rows} == {(lite.name, lite.weights_id)}
    means = {m: np.mean([s for (method, _), s in expected.items() if method == m]) for m in METHODS}
    shown = dict(re.findall(r"^(\w+) +([-\d.]+)  \(3 images\)$", told, re.M))
    assert list(shown) == sorted(means, key=means.__getitem__, reverse=True)
    assert {m: float(mean) for m, mean in shown.items()} == pytest.approx(means, abs=0.006)


def check_compare_methods(told: str, folder: Path, lite: sriqa.CalibratedMetric) -> None:
    lines = told.splitlines()
    expected = scores_of_examples(lite)
    for line in lines[:3]:
        name, mean = re.match(r"\d\. (\w+): mean ([-\d.]+) of 3, 95 % interval", line).groups()
        assert float(mean) == pytest.approx(
            np.mean([score for (method, _), score in expected.items() if method == name]), abs=0.006
        )
    assert sum(line.startswith("- ") and "with 3 images" in line for line in lines) == 3
    assert lite.weights_id in lines[-1]


def check_as_loss(told: str, folder: Path, lite: sriqa.CalibratedMetric) -> None:
    before, after = map(float, re.search(r"^score (\S+) -> (\S+)$", told, re.M).groups())
    assert after > before + 1
    raised = np.asarray(Image.open(folder / "raised.png"))
    assert lite.score(raised) == pytest.approx(after, abs=0.006)
    start = np.asarray(Image.open(EXAMPLES / "coffee_bicubic.png"))[128:384, 128:384]
    assert lite.score(start) == pytest.approx(before, abs=0.006)
    noise = float(re.search(r"PSNR to the start ([\d.]+) dB", told).group(1))
    error = np.mean((raised.astype(float) - start.astype(float)) ** 2)
    assert noise == pytest.approx(10 * np.log10(255**2 / error), abs=0.06)
    assert "not a better image" in told


def check_calibrate(told: str, folder: Path, lite: sriqa.CalibratedMetric) -> None:
    assert "demonstration" in told
    made = folder / "recalibrated"
    weights = made / "run" / "weights.safetensors"
    metric = sriqa.load("sriqa_lite", weights=weights)
    order = {}
    for weights_id, line in re.findall(r"^(sha256:\w+): (.*)$", told, re.M):
        order[weights_id] = [method.split()[0] for method in line.split(", ")]
    ranking = ["sharpened", "bicubic", "halos"]
    assert order[metric.weights_id] == ranking
    files = {method: sorted((made / "demonstration/sr" / method).iterdir()) for method in ranking}
    assert {len(paths) for paths in files.values()} == {18}
    means = [np.mean(metric.score(paths)) for paths in files.values()]
    assert means == sorted(means, reverse=True)
    assert lite.weights_id in order
    # The same folders, given as one's own, make the same weights.
    own = "--sr recalibrated/demonstration/sr --ranking recalibrated/demonstration/ranking.csv"
    told = run(f"python examples/calibrate_new_methods.py {own} --output own", folder)
    assert "demonstration" not in told.splitlines()[0]
    again = sriqa.load("sriqa_lite", weights=folder / "own/run/weights.safetensors")
    assert again.score(files["halos"]) == pytest.approx(metric.score(files["halos"]), abs=1e-5)


def check_picture(told: str, folder: Path, lite: sriqa.CalibratedMetric) -> None:
    (picture,) = folder.glob("*.jpg")
    assert min(Image.open(picture).size) > 500


def check_torchmetrics(told: str, folder: Path, lite: sriqa.CalibratedMetric) -> None:
    expected = scores_of_examples(lite)
    shown = dict(re.findall(r"^(\w+) .*'sriqa': ([-\d.]+)", told, re.M))
    means = {m: np.mean([s for (name, _), s in expected.items() if name == m]) for m in METHODS}
    assert {m: float(mean) for m, mean in shown.items()} == pytest.approx(means, abs=0.006)
    assert "'psnr_to_bicubic': inf" in told.splitlines()[0]


def check_onnx(told: str, folder: Path, lite: sriqa.CalibratedMetric) -> None:
    first, *lines = told.splitlines()
    assert first == f"sriqa_lite, weights {lite.weights_id}, license Apache-2.0"
    paths, shown = zip(*(line.rsplit(maxsplit=1) for line in lines), strict=True)
    expected = lite.score([folder / path for path in paths])
    assert list(map(float, shown)) == pytest.approx(expected, abs=0.006)
    assert len(lines) == 3


def check_results(told: str, folder: Path, lite: sriqa.CalibratedMetric) -> None:
    for place, ending in (("GT", ""), ("nearest", "_x4"), ("bicubic", "_x4"), ("lanczos", "_x4")):
        for data_set, number in (("photos", 3), ("tiles", 12)):
            files = list((folder / "results" / place / data_set).glob(f"*{ending}.png"))
            assert len(files) == number
            truth = folder / "results" / "GT" / data_set
            for file in files:
                name = file.name.replace("_x4", "")
                assert Image.open(file).size == Image.open(truth / name).size


CHECKS: dict[str, Callable[[str, Path, sriqa.CalibratedMetric], None]] = {
    "score_folder.py": check_score_folder,
    "compare_methods.py": check_compare_methods,
    "as_loss.py": check_as_loss,
    "calibrate_new_methods.py": check_calibrate,
    "map_picture.py": check_picture,
    "score_picture.py": check_picture,
    "make_results.py": check_results,
    "with_torchmetrics.py": check_torchmetrics,
    "score_with_onnx.py": check_onnx,
}
SLOW = ("calibrate_new_methods.py", "map_picture.py")


def test_the_table_and_the_checks_know_every_file():
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".py", ".ipynb")}
    assert set(COMMANDS) == files
    assert {*CHECKS, NOTEBOOK.name} == files


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CHECKS],
)
def test_a_script_does_what_it_says(name, lite, tmp_path):
    assert f"examples/{name}" in COMMANDS[name]
    if name == "score_with_onnx.py":
        export_onnx(CATALOG["sriqa_lite"].bundled, tmp_path / "sriqa_lite.onnx")
    CHECKS[name](run(COMMANDS[name], tmp_path), tmp_path, lite)


def test_folders_of_ones_own(lite, tmp_path):
    for method in METHODS[:2]:
        (tmp_path / "results" / method).mkdir(parents=True)
        for content in ("chelsea", "coffee"):
            source = EXAMPLES / f"{content}_{method}.png"
            shutil.copy(source, tmp_path / "results" / method / f"{content}.png")
    run("python examples/score_folder.py results --output mine.csv", tmp_path)
    with (tmp_path / "mine.csv").open(newline="") as stream:
        found = {(r["method"], r["content"]): float(r["score"]) for r in csv.DictReader(stream)}
    expected = scores_of_examples(lite)
    assert found == pytest.approx({key: expected[key] for key in found}, abs=2e-5)
    assert len(found) == 4
    folders = " ".join(f"results/{method}" for method in METHODS[:2])
    told = run(f"python examples/compare_methods.py {folders} --report page.html", tmp_path)
    assert "bicubic and dat_light_x4 cannot be told apart with 2 images" in told
    assert "<html" in (tmp_path / "page.html").read_text()


def text_outputs(cell: nbformat.NotebookNode) -> str:
    """What a cell printed, and the plain text of its results."""
    return "".join(
        output.text if output.output_type == "stream" else output.data["text/plain"] + "\n"
        for output in cell.outputs
    )


def pictures(cell: nbformat.NotebookNode) -> int:
    return sum("image/jpeg" in output.get("data", {}) for output in cell.outputs)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_is_committed_with_its_outputs(lite):
    assert NOTEBOOK.stat().st_size < 600_000
    cells = code_cells(nbformat.read(NOTEBOOK, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(output.output_type != "error" for cell in cells for output in cell.outputs)
    assert sum(map(pictures, cells)) >= 5
    told = "".join(map(text_outputs, cells))
    assert not re.search(r"(?<![\w.])/\w+/|[A-Z]:\\", told), "a path of a machine"
    assert lite.weights_id in told, "made with other weights: run the command in examples/README.md"


@pytest.mark.slow
def test_the_notebook_runs_to_the_outputs_that_it_shows(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    stored = nbformat.read(NOTEBOOK, as_version=4)
    made = nbformat.from_dict(stored)
    NotebookClient(made, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    for old, new in zip(code_cells(stored), code_cells(made), strict=True):
        before, after = text_outputs(old), text_outputs(new)
        assert NUMBER.sub("#", after) == NUMBER.sub("#", before)
        # The last digit that is shown may be rounded the other way.
        numbers = [list(map(float, NUMBER.findall(text))) for text in (after, before)]
        assert numbers[0] == pytest.approx(numbers[1], rel=0.01, abs=0.011)
        assert pictures(new) == pictures(old)
