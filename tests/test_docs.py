"""What the documents say of files, commands, the layout and its imports is so."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import typer
import yaml

import sriqa_metric
from sriqa_metric.calibrate import cli as calibrate_cli
from sriqa_metric.calibrate.config import load_config
from sriqa_metric.cli import compare as compare_cli
from sriqa_metric.cli import score as score_cli
from sriqa_metric.cli import weights as weights_cli
from sriqa_metric.errors import SriqaError
from tests.conftest import ROOT

PACKAGE = ROOT / "sriqa_metric"
FOLDERS = ("", "docs/", "examples/", "weights_card/")
DOCUMENTS = sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}*.md"))
COMMANDS = {
    "sriqa-score": typer.main.get_command(score_cli.app),
    "sriqa-compare": typer.main.get_command(compare_cli.app),
    "sriqa-weights": typer.main.get_command(weights_cli.app),
    "sriqa-calibrate": typer.main.get_command(calibrate_cli.app),
}

for_every_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=[path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@for_every_document
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, heading = target.partition("#")
        found = path.parent / file if file else path
        assert found.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", text_of(found).lower(), flags=re.M)
            assert heading in {re.sub(r"[^\w -]", "", t).replace(" ", "-") for t in titles}, target


@for_every_document
def test_scripts_exist(path):
    for script in re.findall(r"python ((?:benchmarks|examples)/\S+\.py)", text_of(path)):
        assert (ROOT / script).is_file(), script


def commands_in(text: str) -> Iterator[list[str]]:
    """Words of every command of ours that is shown, in blocks and in running text."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for shown in [*lines, *re.findall(r"`(sriqa-[^`]*)`", text)]:
        for part in re.split(r"&&|\| ", shown):
            part = re.sub(r"^\s*(\w+=\S+ )*", "", part)
            if part.split(" ")[0] in COMMANDS:
                yield shlex.split(part, comments=True)


def problem_with(words: list[str]) -> str | None:
    """What a command line names that there is not."""
    name, *rest = words
    command = COMMANDS[name]
    if rest and hasattr(command, "commands"):
        command = command.commands.get(rest[0])
        if command is None:
            return f"{name} has no command {rest[0]}"
    known = {"-", "--help", "-h"} | {option for each in command.params for option in each.opts}
    for word in rest:
        if word.startswith("-") and word.partition("=")[0] not in known:
            return f"{' '.join(words[:2])} has no option {word}"
    try:
        load_config("sriqa_lite", [b for a, b in pairwise(rest) if a == "--set"])
    except SriqaError as error:
        return str(error)
    return None


@for_every_document
def test_commands_options_and_settings_exist(path):
    for words in commands_in(text_of(path)):
        assert problem_with(words) is None, shlex.join(words)


def test_the_check_of_commands_finds_what_is_wrong():
    shown = "```\nA=1 sriqa-calibrate train a --basis b  # c\nls | sriqa-score - --weight w\n```\n"
    shown += "`sriqa-weights print x`, `sriqa-calibrate train a --set data.srr=DIR`, `sriqa-score`"
    option, other, command, setting, none = map(problem_with, commands_in(shown))
    assert option == "sriqa-calibrate train has no option --basis"
    assert other == "sriqa-score - has no option --weight"
    assert command == "sriqa-weights has no command print"
    assert setting.startswith("unknown setting data.srr")
    assert none is None


# The layout in docs/design.md: two tables, whose first column names modules.
LINES = re.findall(r"^\| (`[^|]+) \|(.*)\|$", text_of(ROOT / "docs" / "design.md"), flags=re.M)
MODULE = re.compile(r"`(\w+)(?:\.py|/)`")
TABLES: dict[str, list[tuple[str, ...]]] = {"": [], "calibrate": []}
for first, _ in LINES:
    names = tuple(MODULE.findall(first))
    if names:
        TABLES["calibrate" if ("calibrate",) in TABLES[""] else ""].append(names)
IMPORTS_TORCH = {MODULE.findall(first)[0] for first, rest in LINES if rest.startswith(" yes ")}
OPTIONAL = {
    "accelerate",
    "anyio",
    "matplotlib",
    "open_clip",
    "pyiqa",
    "ray",
    "starlette",
    "uvicorn",
}
NOT_ALWAYS_NEEDED = {"huggingface_hub", "jinja2"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def module_name(path: Path) -> str:
    """`sriqa_metric.metric` of sriqa_metric/metric.py; a package's own name of its __init__."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def statements(nodes: list[ast.stmt], inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports of a module, and of its functions if `inside`; not those for type checkers."""
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from statements(node.body, inside) if inside else ()
        elif isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            yield from statements(node.orelse, inside)
        else:
            for part in ("body", "orelse", "finalbody", "handlers"):
                yield from statements(getattr(node, part, []), inside)


@cache
def imports(module: str, inside: bool) -> frozenset[str]:
    """Full names of the modules, ours and others', that a module imports."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found: set[str] = set()
    for node in statements(tree_of(path).body, inside):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            continue
        above = package[: len(package) + 1 - node.level] if node.level else []
        origin = ".".join([*above, *([node.module] if node.module else [])])
        below = {f"{origin}.{alias.name}" for alias in node.names} & MODULES.keys()
        found |= below or {origin}
    return frozenset(found)


def imported_with(module: str) -> set[str]:
    """Full names of all that importing a module imports, and the first part of each name."""
    waiting, found = [module], set()
    while waiting:
        name = waiting.pop()
        if name and name not in found:
            found.add(name)
            if name in MODULES:  # whose package is imported before it
                waiting += [name.rpartition(".")[0], *imports(name, inside=False)]
    return found | {name.partition(".")[0] for name in found}


@pytest.mark.parametrize("folder", TABLES)
def test_the_layout_lists_what_there_is(folder):
    there = {path.stem for path in (PACKAGE / folder).glob("*.py")}
    there |= {path.parent.name for path in (PACKAGE / folder).glob("*/__init__.py")}
    listed = [name for line in TABLES[folder] for name in line]
    assert len(listed) == len(set(listed))
    assert set(listed) == (there - {"__init__"} if folder else there)


JOURNEYS = re.findall(
    r"```\n(.*?)```",
    text_of(ROOT / "docs" / "design.md").split("## Three journeys")[1].split("\n## ")[0],
    re.S,
)


@pytest.mark.parametrize("number", range(3))
def test_a_journey_passes_files_that_there_are_and_none_twice(number):
    files = re.findall(r"^ *(\S+\.py)\b", JOURNEYS[number], re.M)
    assert len(files) > 5
    assert len(files) == len(set(files))
    for file in files:
        assert (PACKAGE / file).is_file(), file


def test_the_layout_says_what_imports_torch():
    for (name,) in TABLES[""]:
        module = "sriqa_metric" if name == "__init__" else f"sriqa_metric.{name}"
        assert ("torch" in imported_with(module)) == (name in IMPORTS_TORCH), name


# Commands, and what tells of files and metrics before anything is computed.
QUICK = [
    *("cli.score", "cli.compare", "cli.weights", "calibrate.cli"),
    *("errors", "files", "version", "hub", "registry", "weights.header"),
]


@pytest.mark.parametrize("name", QUICK)
def test_what_commands_start_with_imports_nothing_slow(name):
    found = imported_with(f"sriqa_metric.{name}")
    assert not found & {"torch", "numpy", "scipy", "PIL", *OPTIONAL, *NOT_ALWAYS_NEEDED}


def test_the_package_itself_imports_only_the_standard_library():
    found = {name for name in imported_with("sriqa_metric") if name not in MODULES}
    assert found == {"os", "sys"}


def test_optional_packages_are_imported_inside_functions():
    for module in MODULES:
        found = {name.partition(".")[0] for name in imports(module, inside=False)}
        assert not found & (OPTIONAL | NOT_ALWAYS_NEEDED), module


def test_pyiqa_is_imported_in_two_places():
    found = {m for m in MODULES for n in imports(m, inside=True) if n.split(".")[0] == "pyiqa"}
    expected = ("pyiqa_plugin", "scorers.pyiqa_metrics")
    assert found == {f"sriqa_metric.{name}" for name in expected}


def test_files_are_unpickled_as_tensors_only_and_in_one_place():
    found = set()
    for module, path in MODULES.items():
        calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
        for call in (call for call in calls if getattr(call.func, "attr", "") == "load"):
            if ast.unparse(call.func) == "torch.load":
                assert "weights_only=True" in map(ast.unparse, call.keywords), module
                found.add(module.removeprefix("sriqa_metric."))
    assert found == {"weights.checkpoints"}


def test_citation():
    found = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= found.keys()
    assert found["cff-version"] == "1.2.0"
    assert found["version"] == sriqa_metric.__version__
    assert found["license"] == "Apache-2.0"
    (paper,) = found["references"]
    authors = [f"{one['given-names']} {one['family-names']}" for one in paper["authors"]]
    readme = " ".join(text_of(ROOT / "README.md").split())
    assert f'{", ".join(authors[:-1])} and {authors[-1]}, "{paper["title"]}"' in readme


def test_the_changelog_begins_with_this_version():
    first = re.search(r"^## \[(.+?)\]", text_of(ROOT / "CHANGELOG.md"), flags=re.M)
    assert first
    assert first[1] == sriqa_metric.__version__
