"""`sriqa-score`: streams, exit status, order, formats."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sriqa_metric.weights.format import weights_id
from tests.cli.running import CHELSEA, COFFEE, SMALL, paths_of, run


def test_json_document(lite, score):
    found = run("--format", "json", COFFEE, "missing.png")
    assert found.exit_code == 1
    document = json.loads(found.stdout)
    fields = ["metric", "weights", "higher_is_better", "results", "failed"]
    assert list(document) == [*fields, "n", "mean", "ci_low", "ci_high"]
    assert document["metric"] == "sriqa_lite"
    assert document["weights"] == lite.weights_id
    assert document["higher_is_better"] is True
    assert document["results"] == [{"path": COFFEE, "score": score[COFFEE]}]
    assert [entry["path"] for entry in document["failed"]] == ["missing.png"]
    assert "missing.png" in document["failed"][0]["error"]


@pytest.mark.answers(
    "Outputs", "any format", "every line or document names the metric and the id of its weights"
)
def test_json_lines_carry_metric_and_weights(lite):
    found = run("--format", "jsonl", CHELSEA, "missing.png", COFFEE)
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert [line["path"] for line in lines] == [CHELSEA, "missing.png", COFFEE]
    assert {(line["metric"], line["weights"]) for line in lines} == {
        ("sriqa_lite", lite.weights_id)
    }
    assert ["score" in line for line in lines] == [True, False, True]


@pytest.mark.answers(
    "Outputs", "a file given twice, in any order", "a row for each, in the order given"
)
def test_csv_rows_keep_the_order_given(score):
    found = run("--format", "csv", COFFEE, CHELSEA, "missing.png", COFFEE)
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert [row["path"] for row in rows] == [COFFEE, CHELSEA, "missing.png", COFFEE]
    assert float(rows[0]["score"]) == pytest.approx(score[COFFEE], abs=1e-5)
    assert rows[2]["score"] == ""
    assert "missing.png" in rows[2]["error"]


@pytest.mark.answers(
    "Outputs",
    "some files cannot be scored",
    "each named on stderr with its reason; the others are scored; exit status 1",
)
def test_table_is_on_stdout_and_messages_on_stderr():
    found = run(COFFEE, "missing.png")
    assert COFFEE in found.stdout
    assert "higher is better" in found.stdout
    assert "missing.png" not in found.stdout
    assert "missing.png: " in found.stderr
    assert "1 of 2 failed" in found.stderr


@pytest.mark.answers("Outputs", "every file scored", "exit status 0, no error on stderr")
def test_all_scored_is_exit_0_and_silent_on_stderr():
    found = run(COFFEE)
    assert found.exit_code == 0
    assert found.stderr == ""


@pytest.mark.answers("Outputs", "wrong usage", "one message, no score, exit status 2")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give at least one file or folder"),
        (["--metric", "nope", COFFEE], "unknown metric 'nope'"),
        (["--weights", "nope.safetensors", COFFEE], "nope.safetensors: cannot read the weights"),
        (["--format", "xml", COFFEE], "xml"),
        (["--batch-size", "0", COFFEE], "batch-size"),
        (["--output", "no/such/folder/x.csv", COFFEE], "no/such/folder/x.csv"),
    ],
)
def test_wrong_usage_is_exit_2_and_prints_no_score(arguments, message):
    found = run(*arguments)
    assert found.exit_code == 2
    assert message in found.stderr
    assert found.stdout == ""


@pytest.mark.answers("Work and memory", "`--threads 1`", "one thread; `--threads 0` is wrong usage")
def test_threads_are_those_asked_for(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(torch, "set_num_threads", (asked := []).append)
    result = run("--threads", "1", SMALL)
    assert (result.exit_code, asked, torch.get_num_threads()) == (0, [1], before)
    assert run("--threads", "0", "x.png").exit_code == 2


@pytest.mark.answers(
    "Work and memory",
    "`--device cuda` without CUDA",
    "error, exit status 2; never the CPU in its place",
)
def test_missing_cuda_is_wrong_usage():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    found = run("--device", "cuda", COFFEE)
    assert found.exit_code == 2
    assert "sees no CUDA device" in found.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.PNG", "sub/c.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(COFFEE, tmp_path / name)
    return tmp_path


@pytest.mark.answers(
    "Names and lists",
    "a folder with images, other files and subfolders",
    "its image files by name, of any case of the ending; no subfolder without `-r`",
)
def test_folder_is_its_images_sorted(folder):
    found = run("--format", "json", str(folder))
    assert paths_of(found) == [str(folder / "a.PNG"), str(folder / "b.png")]


@pytest.mark.answers(
    "Names and lists", "a folder and `--recursive`", "the images of its subfolders, too"
)
def test_recursive_enters_subfolders(folder):
    found = run("--format", "json", "--recursive", str(folder))
    assert paths_of(found)[2:] == [str(folder / "sub" / "c.png")]


@pytest.mark.answers(
    "Names and lists",
    "a pattern, or `-` and a list on stdin with empty lines",
    "the files that are meant, in their order",
)
def test_glob_and_stdin_list(folder):
    found = run("--format", "json", str(folder / "[b-z]*.png"))
    assert paths_of(found) == [str(folder / "b.png")]
    found = run("--format", "json", "-", stdin=f"{folder / 'b.png'}\n\n{folder / 'a.PNG'}\n")
    assert paths_of(found) == [str(folder / "b.png"), str(folder / "a.PNG")]


@pytest.mark.answers(
    "Names and lists", "a file whose name looks like a pattern (`[1].png`)", "is that file"
)
def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder):
    odd = folder / "[1].png"
    shutil.copy(COFFEE, odd)
    assert paths_of(run("--format", "json", str(odd))) == [str(odd)]


@pytest.mark.answers(
    "Names and lists",
    "a folder without images, or a pattern that matches nothing",
    "named as failed, exit status 1",
)
def test_nothing_found_is_a_failure_not_silence(folder):
    (folder / "empty").mkdir()
    found = run("--format", "json", str(folder / "empty"), str(folder / "*.bmp"))
    assert found.exit_code == 1
    reasons = [entry["error"] for entry in json.loads(found.stdout)["failed"]]
    assert "no image files in this folder" in reasons[0]
    assert "nothing matches this pattern" in reasons[1]
    found = run("-", stdin="\n")
    assert found.exit_code == 1
    assert "sriqa-score: -: no paths in the list on stdin" in found.stderr


@pytest.mark.answers("Outputs", "`-o FILE`", "holds what stdout would, which stays empty")
def test_output_file_holds_what_stdout_would(tmp_path):
    target = tmp_path / "scores.csv"
    found = run("--format", "csv", "--output", str(target), COFFEE)
    assert found.stdout == ""
    assert target.read_text() == run("--format", "csv", COFFEE).stdout


@pytest.mark.answers(
    "Weights and the Hub", "`--weights` with a file of one's own", "its id stands in the output"
)
def test_local_weights_are_named_in_the_output(tmp_path):
    from sriqa_metric.registry import find_spec

    copy = tmp_path / "mine.safetensors"
    bundled = find_spec("sriqa_lite").bundled
    assert bundled is not None
    shutil.copy(bundled, copy)
    found = run("--weights", str(copy), "--format", "json", COFFEE)
    assert json.loads(found.stdout)["weights"] == weights_id(copy)


@pytest.mark.answers(
    "Outputs",
    "`--map` with an ending of pictures, or `.csv`",
    "a picture, or one row per window; the score stays the same",
)
def test_map_writes_a_picture_or_values_by_its_ending(tmp_path, score):
    picture, values = tmp_path / "map.png", tmp_path / "map.csv"
    for path in (picture, values):
        found = run(COFFEE, "--map", str(path), "--format", "json")
        assert found.exit_code == 0
        assert json.loads(found.stdout)["results"][0]["score"] == score[COFFEE]
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(values.open()))
    assert list(rows[0]) == ["top", "left", "size", "score", "metric", "weights"]
    assert len(rows) == 100  # 512x512, stride 32: ten by ten windows


@pytest.mark.answers("Outputs", "`--map` with several images", "error, exit status 2")
def test_map_is_for_one_image_that_can_be_scored(tmp_path):
    path = tmp_path / "map.png"
    assert run(COFFEE, CHELSEA, "--map", str(path)).exit_code == 2
    assert run("missing.png", "--map", str(path)).exit_code == 1
    found = run(COFFEE, "--map", str(tmp_path / "map.txt"))
    assert (found.exit_code, found.stdout) == (2, "")
    assert not path.exists()


@pytest.mark.answers(
    "Outputs",
    "`sriqa-score -o` or `--map` onto an image that it reads, or onto the list on stdin",
    "error before the network is loaded; the input stays",
)
def test_an_output_is_refused_before_the_network_is_loaded(tmp_path, monkeypatch):
    def load(*given):
        raise AssertionError("loaded")

    monkeypatch.setattr("sriqa_metric.weights.load.load", load)
    image = tmp_path / "image.png"
    shutil.copy(COFFEE, image)
    before = image.read_bytes()
    for option in ("--output", "--map"):
        for target in (image, tmp_path, tmp_path / "none" / "x.csv"):
            found = run(str(image), option, str(target))
            assert (found.exit_code, found.stdout) == (2, "")
            assert found.stderr.startswith(f"sriqa-score: {target}: ")
            assert found.stderr.count("\n") == 1
    same = str(tmp_path / "same.csv")
    assert run(str(image), "-o", same, "--map", same).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["image.png"]
    assert image.read_bytes() == before


@pytest.mark.answers(
    "Outputs", "`sriqa-score -o /dev/full`, or `--map /dev/full`", "one line, exit status 2"
)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("option", ["-o", "--map"])
def test_an_output_without_room_is_one_line(option):
    if option == "--map":
        pytest.importorskip("matplotlib")
    found = run(COFFEE, option, "/dev/full")
    assert found.exit_code == 2
    assert found.stderr == "sriqa-score: /dev/full: cannot be written: No space left on device\n"


@pytest.mark.answers(
    "Outputs",
    "`-o` onto the file that is the list on stdin",
    "error: give another name; the list stays",
)
def test_the_list_on_stdin_is_no_output(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text(COFFEE)
    words = [sys.executable, "-m", "sriqa_metric", "-", "-o", str(names)]
    with names.open() as stream:
        found = subprocess.run(words, stdin=stream, capture_output=True, text=True)
    assert found.returncode == 2
    assert "names.txt: is used by this command already" in found.stderr
    assert names.read_text() == COFFEE


@pytest.mark.answers(
    "Outputs", "`sriqa-score` with weights that cannot be had, and `-o`", "the file stays as it was"
)
def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "scores.csv"
    target.write_text("before")
    assert run("--weights", str(tmp_path / "no.safetensors"), COFFEE, "-o", str(target)).exit_code
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_list_names_every_metric():
    found = run("--list")
    assert found.exit_code == 0
    assert "sriqa_lite: " in found.stdout


def command(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "sriqa_metric", *arguments]
    return subprocess.run(words, capture_output=True, text=True, **options)


def test_help_is_quick():
    # Processor time, which other work on the machine does not change.
    seconds = []
    for _ in range(3):
        before = os.times()
        assert "Usage" in command("--help").stdout
        after = os.times()
        seconds.append(after.children_user + after.children_system - sum(before[2:4]))
    assert min(seconds) < 0.5


@pytest.mark.answers("Outputs", "the same command twice", "the same bytes")
def test_two_processes_print_the_same_bytes():
    first, second = (command("--format", "csv", COFFEE, CHELSEA) for _ in range(2))
    assert first.returncode == 0
    assert first.stdout == second.stdout


@pytest.mark.answers("Outputs", "a reader that stops, as `head -n 1` behind a pipe", "ends quietly")
def test_a_closed_pipe_is_no_traceback():
    words = f"{sys.executable} -m sriqa_metric --format csv {COFFEE} {CHELSEA} | head -n 1"
    found = subprocess.run(["bash", "-c", words], capture_output=True, text=True, env=os.environ)
    assert found.stdout.startswith("path,score,metric,weights")
    assert "Traceback" not in found.stderr
