"""What every command shares: version, help, errors, threads."""

import importlib
import os
import signal
import subprocess
import sys
import typing

import pytest
import torch
import typer
from typer.testing import CliRunner

import sriqa_metric
from sriqa_metric.calibrate import cli as calibrate
from sriqa_metric.calibrate.evaluation.cli import evaluate
from sriqa_metric.calibrate.evaluation.report import FORMATS
from sriqa_metric.calibrate.ranking.cli import rank
from sriqa_metric.calibrate.ranking.output import FORMATS as RANK_FORMATS
from sriqa_metric.cli import common, compare, score, weights
from sriqa_metric.cli.common import (
    device_of,
    note,
    say,
    told,
)
from sriqa_metric.cli.output import WRITERS
from sriqa_metric.errors import SriqaError

COMMANDS = [score, compare, weights, calibrate]


@pytest.mark.answers(
    "Outputs",
    "`--version`, `-h` or `--help` of any command",
    "the version, the usage; exit status 0",
)
@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_tells_its_version_and_its_usage(module):
    found = CliRunner().invoke(module.app, ["--version"])
    assert found.exit_code == 0
    assert found.stdout.split() == ["sriqa-metric", sriqa_metric.__version__]
    for word in ("-h", "--help"):
        assert "Usage" in CliRunner().invoke(module.app, [word]).stdout


def test_every_option_of_one_name_is_the_same():
    """`--device` and `--output` mean the same wherever they are."""
    found = {}
    for module in COMMANDS:
        command = typer.main.get_command(module.app)
        for each in getattr(command, "commands", {"": command}).values():
            for option in each.params:
                if option.name in ("device", "output"):
                    found.setdefault(option.name, set()).add((*option.opts, str(option.default)))
    assert found["device"] == {("--device", "auto")}
    assert {opts[:2] for opts in found["output"]} == {("--output", "-o")}


@pytest.mark.parametrize(
    ("command", "known"), [(score.score, WRITERS), (evaluate, FORMATS), (rank, RANK_FORMATS)]
)
def test_every_format_is_offered(command, known):
    assert set(typing.get_args(typing.get_type_hints(command)["format"])) == set(known)


def test_the_device_is_found_where_it_is():
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.answers("Outputs", "Ctrl-C", "one line, exit status 130")
@pytest.mark.parametrize(
    ("error", "status", "line"),
    [(SriqaError("x: bad"), 2, "name: x: bad\n"), (KeyboardInterrupt(), 130, "name: stopped\n")],
)
def test_what_ends_a_command_is_one_line(error, status, line, capsys):
    with pytest.raises(typer.Exit) as found, told("name"):
        raise error
    assert found.value.exit_code == status
    assert capsys.readouterr().err == line


def test_the_inner_status_counts(capsys):
    with pytest.raises(typer.Exit) as found, told("name"), told("name", 1):
        raise SriqaError("x: bad")
    assert found.value.exit_code == 1
    assert capsys.readouterr().err == "name: x: bad\n"


@pytest.mark.answers(
    "Names and lists",
    "control characters of a name, in a message",
    r"one line, shown as `\x1b`, `\n`",
)
def test_names_in_messages_are_harmless(capsys):
    for tell in (note, lambda message: say("name", message)):
        tell("a\x1b[2J\nname: all is well\r.png: bad")
        shown = capsys.readouterr().err
        assert shown.endswith(r": a\x1b[2J\nname: all is well\r.png: bad" + "\n")
        assert shown.count("\n") == 1
    note("2 are bad:\n  a: x\n  b\n: y")
    assert capsys.readouterr().err == "note: 2 are bad:\n  a: x\n  b\\n: y\n"


@pytest.mark.answers(
    "Outputs",
    "a file that the system refuses",
    "one line with its name and the system's reason, exit status 2",
)
def test_what_the_system_refuses_is_one_line(tmp_path, capsys):
    with pytest.raises(typer.Exit) as found, told("name", 1):
        (tmp_path / "none" / "x").open("w")
    assert found.value.exit_code == 2
    assert capsys.readouterr().err == f"name: {tmp_path}/none/x: No such file or directory\n"


@pytest.mark.answers(
    "Outputs", "stdout on a full disk, or `> /dev/full`", "one line, exit status 2"
)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("size", [1, 100_000])  # written at the end, and at once
def test_a_full_stdout_is_one_line(size):
    code = f"""if True:
        import sys, typer; from sriqa_metric.cli.common import run, told
        app = typer.Typer()
        @app.command()
        @told("name")
        def command(): print("x" * {size})
        run(app, "command")"""
    with open("/dev/full", "w") as full:
        found = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert found.returncode == 2
    assert found.stderr == "name: stdout: cannot be written: No space left on device\n"


@pytest.mark.answers(
    "Outputs", "a command ended by SIGTERM while it writes", "nothing half written is left"
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
def test_a_command_that_is_ended_leaves_nothing(tmp_path):
    code = """if True:
        import os, sys, time, typer; from pathlib import Path
        from sriqa_metric.cli.common import opened, run, told
        app = typer.Typer()
        @app.command()
        @told("name")
        def command(path: Path):
            with opened(path) as stream:
                os.kill(os.getpid(), 15)
                time.sleep(60)
        run(app, "command")"""
    found = subprocess.run([sys.executable, "-c", code, tmp_path / "x"], capture_output=True)
    assert found.returncode == 128 + 15
    assert (found.stdout, found.stderr) == (b"", b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.answers(
    "Names and lists",
    "a terminal or pipe that is not UTF-8 (PYTHONIOENCODING, a Windows code page)",
    r"letters that it lacks are written as `\u5199`; `-o` writes UTF-8",
)
def test_another_encoding_has_no_traceback():
    code = r"""if True:
        import typer; from sriqa_metric.cli.common import run
        app = typer.Typer()
        app.command()(lambda: print("\u5199 caf\udce9"))
        run(app, "command")"""
    for encoding, shown in (
        ("latin-1", b"\\u5199 caf\\udce9\n"),
        ("utf-8", b"\xe5\x86\x99 caf\xe9\n"),
    ):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        words = [sys.executable, "-c", code]
        assert subprocess.run(words, capture_output=True, env=environment).stdout == shown


USAGE = {
    ("sriqa_metric.cli.score",): "give at least one file or folder, or - for a list on stdin",
    ("sriqa_metric.cli.score", "--format", "xml", "x.png"): "--format",
    ("sriqa_metric.cli.score", "--max-pixels", "0", "x.png"): "--max-pixels",
    ("sriqa_metric.cli.score", "--batch", "1", "x.png"): "--batch",
    ("sriqa_metric.cli.score", "x.png", "--map"): "--map",
    ("sriqa_metric.cli.compare", "--device", "tpu", "a", "b"): "--device",
    ("sriqa_metric.cli.weights", "look"): "look",
    ("sriqa_metric.cli.weights", "convert", "x.pth", "-o", "x"): "--metric",
    ("sriqa_metric.calibrate.cli", "rank"): "VOTES.csv",
    ("sriqa_metric.calibrate.cli", "rank", "x.csv", "--bootstrap", "-1"): "--bootstrap",
    ("sriqa_metric.calibrate.cli", "rank", "x.csv", "--prior-variance", "0"): "--prior-variance",
    ("sriqa_metric.calibrate.cli", "adapt", "--sr", "x"): "--base",
    ("sriqa_metric.calibrate.cli", "select", "x", "--lr", "x", "-o", "x", "-k", "0"): "--k",
}


@pytest.mark.answers(
    "Outputs",
    "an option that there is not, or with a value that it cannot have",
    "one line that names the option, exit status 2",
)
@pytest.mark.parametrize("words", USAGE, ids=lambda words: " ".join(words[1:]))
def test_wrong_usage_is_one_line_that_names_the_option(words, monkeypatch, capsys):
    module = importlib.import_module(words[0])
    monkeypatch.setattr(sys, "argv", [module.NAME, *words[1:]])
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    with pytest.raises(SystemExit) as found:
        module.main()
    assert found.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{module.NAME}: ")
    assert USAGE[words] in err
    assert err.count("\n") == 1


@pytest.mark.answers(
    "Outputs", "`sriqa-weights` or `sriqa-calibrate` alone", "their usage, exit status 2"
)
@pytest.mark.parametrize("module", [weights, calibrate])
def test_a_command_of_commands_alone_tells_its_usage(module, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [module.NAME])
    monkeypatch.setattr(signal, "signal", lambda *given: None)
    with pytest.raises(SystemExit) as found:
        module.main()
    assert found.value.code == 2
    assert "Usage" in "".join(capsys.readouterr())


def test_any_other_error_is_a_bug():
    with pytest.raises(KeyError), told("name"):
        raise KeyError


@pytest.mark.parametrize(
    ("may_run", "environment", "asked"),
    [
        pytest.param(
            *(1, {}, [1]),
            marks=pytest.mark.answers(
                "Work and memory",
                "a command without `--threads`, where fewer processors may be used than torch sees",
                "as many threads as may run, unless `OMP_NUM_THREADS` says another number",
            ),
        ),
        (1, {"OMP_NUM_THREADS": "4"}, []),
        (4, {}, []),
        (9, {}, []),
    ],
)
def test_threads_are_no_more_than_may_run(monkeypatch, may_run, environment, asked):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(common, "available", lambda: may_run)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", (found := []).append)
    common.device_of("cpu")
    assert found == asked
