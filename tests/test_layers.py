"""Folders are capabilities, and imports go one way: up the table, never sideways or back."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "sriqa_metric"

# A row imports rows above it and, within one entry, itself; entries of one row never each other.
LAYERS = (
    ("version", "errors", "names"),
    ("csv_files", "deadline", "files", "memory", "processors"),
    ("image_paths",),
    ("decoding",),
    ("images",),
    ("crops",),
    ("crops_of_any_size",),
    ("models",),
    ("scoring",),
    ("quality_map",),
    ("metric",),
    ("hub",),
    ("registry",),
    ("weights",),
    ("scorers",),
    ("sr_folders",),
    ("basicsr", "compare", "map_picture", "onnx_export", "pyiqa_plugin", "scale", "torchmetrics"),
    ("pyiqa_hook",),
    ("cli",),
    ("__main__",),
    ("calibrate.config", "calibrate.statistics"),
    ("calibrate.data",),
    ("calibrate.features", "calibrate.ranking"),
    ("calibrate.selection", "calibrate.study", "calibrate.training", "calibrate.evaluation"),
    ("calibrate.release",),
    ("calibrate.pipelines",),
    ("calibrate.cli",),
    ("",),  # the package itself: its public names
)
PLACE = {entry: row for row, entries in enumerate(LAYERS) for entry in entries}


def module_of(path: Path) -> str:
    """`weights.load` of sriqa_metric/weights/load.py; a package's own name of its __init__."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def entry_of(module: str) -> str:
    """The entry of the table that a module belongs to; any `cli` of calibrate is calibrate's."""
    parts = module.split(".")
    if parts[0] == "calibrate" and parts[-1] == "cli":
        return "calibrate.cli"
    if module == "calibrate":
        return "calibrate.config"  # its __init__ is empty
    for length in (2, 1):
        if ".".join(parts[:length]) in PLACE:
            return ".".join(parts[:length])
    raise AssertionError(f"{FILES[module]}: no row of LAYERS has it")


def imports_of(module: str) -> set[str]:
    """Modules of the package that a file imports: anywhere, also for type checkers only."""
    path = FILES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    package = [part for part in package if part]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name.removeprefix("sriqa_metric.") for a in node.names]
            names = [name for name in names if f"sriqa_metric.{name}" != name and name in FILES]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
            elif (node.module or "").split(".")[0] == "sriqa_metric":
                base = []
            else:
                continue
            origin = ".".join([*base, *(node.module.split(".") if node.module else [])])
            origin = origin.removeprefix("sriqa_metric").lstrip(".") if not node.level else origin
            for alias in node.names:
                inside = f"{origin}.{alias.name}".lstrip(".")
                names.append(inside if inside in FILES else origin)
        found |= set(names)
    return found - {module}


@pytest.mark.parametrize("module", FILES)
def test_imports_go_up_the_table(module):
    own = entry_of(module)
    for other in imports_of(module):
        theirs = entry_of(other)
        allowed = theirs == own or PLACE[theirs] < PLACE[own]
        assert allowed, f"{FILES[module]} ({own or 'top'}) imports {FILES[other]} ({theirs})"


def test_there_are_no_circles():
    graph = {module: imports_of(module) for module in FILES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        circle = " -> ".join(str(FILES[name]) for name in (*trail, module))
        assert module not in trail, circle
        if module not in done:
            for other in graph[module]:
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_calibrate_has_four_files_of_its_own():
    found = {path.stem for path in (PACKAGE / "calibrate").glob("*.py")}
    assert found == {"__init__", "statistics", "pipelines", "cli"}


def test_every_entry_has_a_file():
    assert {entry_of(module) for module in FILES} == set(PLACE)
