"""`sriqa-weights`: what it tells of good files, and how it ends with bad ones."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from sriqa_metric.cli.weights import app
from sriqa_metric.hub import HubFile
from sriqa_metric.registry import CATALOG
from tests.hub_server import Hub, Repo
from tests.tiny_clip import client_at

answers = pytest.mark.answers
HUB = "Weights and the Hub"
BUNDLED = CATALOG["sriqa_lite"].bundled
DIGEST = hashlib.sha256(BUNDLED.read_bytes()).hexdigest()
ID = f"sha256:{DIGEST[:12]}"


@pytest.fixture(autouse=True)
def no_repository(monkeypatch):
    monkeypatch.delenv("SRIQA_WEIGHTS_REPO", raising=False)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def header() -> dict:
    with safe_open(BUNDLED, framework="np") as file:
        return json.loads(file.metadata()["sriqa"])


def changed(path: Path, change=lambda tensors: None, **description) -> Path:
    """A copy of the bundled file with its tensors or its description changed."""
    tensors = load_file(BUNDLED)
    change(tensors)
    save_file(tensors, path, metadata={"sriqa": json.dumps(header() | description)})
    return path


@pytest.mark.parametrize("source", ["sriqa_lite", BUNDLED])
def test_show_tells_all_as_json(source):
    found = json.loads(run("show", source, "--format", "json").stdout)
    tensors = load_file(BUNDLED)
    assert found == {
        "file": str(BUNDLED),
        "bytes": BUNDLED.stat().st_size,
        "sha256": DIGEST,
        "weights": ID,
        "tensors": len(tensors),
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
        "dtype": "F16",
        "description": header(),
    }


def test_show_tells_all_in_a_table():
    found = run("show", "sriqa_lite")
    assert found.exit_code == 0
    rows = dict(
        line.split(maxsplit=1) for line in found.stdout.splitlines() if "  " in line.strip()
    )
    assert rows["metric"] == "sriqa_lite"
    assert rows["encoder"] == "EfficientNet-Lite0"
    assert rows["license"] == "Apache-2.0"
    assert rows["crop_policy.size"] == "224"
    assert rows["sha256"] == DIGEST
    assert rows["weights"] == ID
    assert rows["training_data.photos"] == "1100"
    assert "span_clearreality 0.5" in rows["training_data.ranking"]


@answers(
    HUB,
    "terminal codes in a weights file's description",
    r"shown as `\x1b`; a line break does not look like another field",
)
def test_show_takes_files_of_other_versions_and_odd_headers(tmp_path):
    notes = "\x1b[31mred\nline\n\nsha256 mine, too"
    path = changed(tmp_path / "odd", format_version=99, sha256="mine", notes=notes)
    rows = run("show", path).stdout.splitlines()
    assert any(row.split() == ["format_version", "99"] for row in rows)
    assert sum(row.startswith("sha256 ") for row in rows) == 2  # the file's own comes first
    assert rows[2].split()[1] != "mine"
    start = rows.index("notes")
    assert rows[start + 1 : start + 3] == [r"    \x1b[31mred line", "    sha256 mine, too"]


@answers(
    "Outputs",
    "`sriqa-weights show` on a narrow terminal, or in a pipe",
    "long values wrap between words, indented; no hash or path is broken; whole lines in a pipe",
)
@pytest.mark.parametrize("columns", [60, 80, None])
def test_show_fits_the_terminal_and_breaks_no_hash(columns, monkeypatch, tmp_path):
    if columns:
        monkeypatch.setattr("sriqa_metric.cli.weights.width_of", lambda stream: columns)
    path = tmp_path / "a file  with blanks, and of a name that is as long as this one"
    shutil.copy(BUNDLED, path)
    shown = run("show", path).stdout
    assert str(path) in shown
    lines = shown.replace(str(path), "path").splitlines()
    for line in lines:
        assert len(line) <= (columns or len(line)) or len(line.split()) == 1
    words = {word.rstrip(",") for line in lines for word in line.split()}
    assert {DIGEST, ID, header()["tensors_sha256"]} <= words
    places = [index for index, line in enumerate(lines) if line.startswith("evaluation.rows")]
    assert lines[places[0]] == "evaluation.rows"
    entries = [line for line in lines if line.startswith("    ci_high ")]  # one a row of the table
    assert len(entries) == len(header()["evaluation"]["rows"])


@pytest.mark.answers(
    "Weights and the Hub", "`sriqa-weights show` of a file without a license", "`not told`"
)
def test_show_without_a_field_says_so(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "bare", metadata={"sriqa": "{}"})
    assert "license          not told" in run("show", tmp_path / "bare").stdout


@pytest.mark.answers(
    "Weights and the Hub",
    "`sriqa-weights show` of a file",
    "its header alone is read; torch is not imported",
)
def test_show_of_a_file_reads_no_tensor_and_imports_no_torch():
    code = (
        "import sys; from sriqa_metric.cli.weights import app\n"
        f"app(['show', {str(BUNDLED)!r}], standalone_mode=False)\n"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize("source", ["sriqa_lite", BUNDLED])
def test_verify_and_path_of_good_weights(source):
    found = run("verify", source)
    assert (found.exit_code, found.stdout) == (0, f"ok {ID}\n")
    assert run("path", source).stdout == f"{BUNDLED}\n"


@pytest.mark.answers(
    "Weights and the Hub", "a whole weights file of any name or ending", "`ok`, with its id"
)
def test_verify_takes_a_file_of_any_name(tmp_path):
    path = tmp_path / "sriqa_clip"
    shutil.copy(BUNDLED, path)
    assert run("verify", path).stdout == f"ok {ID}\n"


BAD = {
    "missing tensor": (lambda t: t.pop("rectifier.out.bias"), {}, "1 tensor missing"),
    "NaN": (lambda t: t["rectifier.out.bias"].fill_(torch.nan), {}, "holds NaN"),
    "no score": (
        lambda t: t.update({"quality_model.scale": torch.full((1024,), 1e38)}),
        {},
        "a test picture gets the score",
    ),
    "integers": (lambda t: t.update(x=torch.ones(2).int()), {}, "not floating point"),
    "unknown metric": (lambda t: None, {"metric": "nope"}, "unknown metric 'nope'"),
    "odd metric": (lambda t: None, {"metric": ["sriqa_lite"]}, "unknown metric"),
    "another metric": (lambda t: None, {"metric": "sriqa_dbcnn"}, "tensors missing"),
    "newer format": (lambda t: None, {"format_version": 99}, "format version 99"),
    "odd policy": (lambda t: None, {"crop_policy": {"size": "x"}}, "crop policy: expected size"),
}


@answers(HUB, "finite weights whose score overflows", "`verify`: error, exit status 1")
@answers(
    HUB, "`sriqa-weights verify`", "scores a test picture; a score that is not finite is refused"
)
@pytest.mark.parametrize("name", BAD)
def test_bad_weights_are_exit_1_with_the_reason(name, tmp_path):
    change, description, message = BAD[name]
    found = run("verify", changed(tmp_path / "bad.safetensors", change, **description))
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith("sriqa-weights: ")
    assert found.stderr.count("\n") == 1
    assert message in found.stderr


BROKEN = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[:-1],
    "text": lambda data: b"These are not weights.",
    "foreign": lambda data: (2).to_bytes(8, "little") + b"{}",
}


@answers(
    HUB,
    "a weights file that is empty, cut short, text or another program's",
    "one line that names it; exit status 1 (`verify`) or 2",
)
@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_one_clear_error(name, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(BROKEN[name](BUNDLED.read_bytes()))
    for command, status in (("show", 2), ("verify", 1)):
        found = run(command, path)
        assert (found.exit_code, found.stdout) == (status, "")
        assert found.stderr.startswith(f"sriqa-weights: {path}: ")
        assert found.stderr.count("\n") == 1


@answers(
    HUB,
    "a name that is neither metric nor file",
    "error that lists the metrics",
)
@pytest.mark.parametrize("command", ["show", "verify", "path"])
def test_what_is_neither_name_nor_file_lists_the_names(command, tmp_path):
    for source in ("sriqa_light", tmp_path):
        found = run(command, source)
        assert found.exit_code == 2
        assert found.stderr == (
            f"sriqa-weights: {str(source)!r} is neither a file nor a metric; "
            f"metrics: {', '.join(CATALOG)}\n"
        )


@answers(
    HUB,
    "a metric whose weights are not released",
    "error with the ways out",
)
@pytest.mark.parametrize(("command", "status"), [("show", 2), ("verify", 1), ("path", 2)])
def test_a_metric_without_weights_says_so(command, status):
    found = run(command, "sriqa_dbcnn")
    assert found.exit_code == status
    assert "sriqa_dbcnn: no weights are released" in found.stderr


@answers(
    HUB,
    "released weights that are not those pinned",
    "error: both SHA-256",
)
@pytest.mark.parametrize("right", [True, False])
def test_released_weights_must_have_their_sha256(right, monkeypatch, tmp_path):
    name = "sriqa_lite.safetensors"
    released = HubFile("org/name", "main", name, DIGEST if right else "0" * 64)
    spec = dataclasses.replace(CATALOG["sriqa_lite"], bundled=None, released=released)
    monkeypatch.setitem(CATALOG, "sriqa_lite", spec)
    with Hub({"org/name": Repo({name: BUNDLED.read_bytes()})}) as hub:
        client_at(hub, tmp_path, monkeypatch)
        found = run("verify", "sriqa_lite")
    if right:
        assert (found.exit_code, found.stdout) == (0, f"ok {ID}\n")
    else:
        assert (found.exit_code, found.stdout) == (1, "")
        assert f"SHA-256 is {DIGEST}, expected {'0' * 64}" in found.stderr


def test_convert_writes_a_file_that_verifies(tmp_path):
    checkpoint, output = tmp_path / "dbcnn.pth", tmp_path / "dbcnn.safetensors"
    state = CATALOG["sriqa_dbcnn"].build().state_dict()
    torch.save({"params": state, "rectifier": {}}, checkpoint)
    told = ("--training-data", "KonIQ-10k", "--license", "MIT")
    found = run("convert", checkpoint, "--metric", "sriqa_dbcnn", "-o", output, *told)
    assert found.exit_code == 0
    assert found.stdout.startswith(f"{output} sha256:")
    assert "left out rectifier" in found.stderr
    assert found.stdout.split()[1] in run("verify", output).stdout
    shown = json.loads(run("show", output, "--format", "json").stdout)["description"]
    assert (shown["training_data"], shown["license"]) == ("KonIQ-10k", "MIT")


def test_convert_names_a_bad_checkpoint(tmp_path):
    told = ("--training-data", "none", "--license", "none", "-o", tmp_path / "out")
    found = run("convert", tmp_path / "no.pt", "--metric", "sriqa_clip", *told)
    assert found.exit_code == 2
    reason = "cannot read the checkpoint: No such file or directory"
    assert found.stderr == f"sriqa-weights: {tmp_path / 'no.pt'}: {reason}\n"


@pytest.mark.answers(
    "Weights and the Hub",
    "`sriqa-weights` without a name or an option that it needs",
    "wrong usage, exit status 2",
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["show", "sriqa_lite", "--format", "xml"],
        ["convert", "x.pt", "--metric", "sriqa_lite"],
        ["convert", "x.pt", "--metric", "sriqa_clip", "-o", "out"],
    ],
)
def test_wrong_usage_is_exit_2(arguments):
    assert run(*arguments).exit_code == 2


def test_help_is_quick():
    # Processor time, which other work on the machine does not change.
    seconds = []
    for _ in range(3):
        before = os.times()
        words = [sys.executable, "-m", "sriqa_metric.cli.weights", "--help"]
        assert "Usage" in subprocess.run(words, capture_output=True, text=True).stdout
        after = os.times()
        seconds.append(after.children_user + after.children_system - sum(before[2:4]))
    assert min(seconds) < 0.5
