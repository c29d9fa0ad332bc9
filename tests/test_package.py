"""What is packed and declared: the wheel, its metadata, and what the source imports."""

import ast
import re
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import sriqa_metric
from tests.conftest import ROOT

SOURCE = ROOT / "sriqa_metric"
INFO = f"sriqa_metric-{sriqa_metric.__version__}.dist-info/"
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in SOURCE.rglob("*.py"))
PROJECT_OF = {"PIL": "pillow", "open_clip": "open_clip_torch"}  # where the names differ


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this source, built in this process."""
    builders = pytest.importorskip("hatchling.builders.wheel")
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = builders.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="session")
def packed(wheel) -> metadata.Distribution:
    """The metadata in that wheel; an editable install's may be of an older pyproject.toml."""
    return metadata.PathDistribution(zipfile.Path(wheel) / INFO)


def normal(project: str) -> str:
    return re.sub(r"[-_.]+", "-", project).lower()


def declared(packed: metadata.Distribution, extras: bool) -> set[str]:
    """Names of the projects that are required, and of those that an extra but `test` adds."""
    unwanted = "extra == 'test'" if extras else "extra =="
    kept = [line for line in packed.requires or [] if unwanted not in line]
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in kept}


def third_party(tree: ast.AST, lazy: bool) -> Iterator[str]:
    """Projects that a module imports; without `lazy` those that its own import brings."""
    for node in ast.iter_child_nodes(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [part.value for part in node.args if isinstance(part, ast.Constant)]
        for name in names:
            top = name.partition(".")[0]
            if top not in {*sys.stdlib_module_names, "sriqa_metric", "tomllib"}:
                yield normal(PROJECT_OF.get(top, top))
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        )
        if lazy or not later:
            yield from third_party(node, lazy)


def imported_by(text: str, lazy: bool) -> set[str]:
    return set(third_party(ast.parse(text), lazy))


def test_imports_are_told_apart():
    text = """
import numpy as np, os.path
from .images import torch
if TYPE_CHECKING:
    import accelerate
if sys.version_info < (3, 11):
    import tomli
class A:
    import PIL.Image
    def f(self):
        from open_clip.transformer import QuickGELU
        importlib.import_module("some_weights")
"""
    now = {"numpy", "tomli", "pillow"}
    assert imported_by(text, lazy=False) == now
    assert imported_by(text, lazy=True) == now | {"accelerate", "open-clip-torch", "some-weights"}


@pytest.mark.parametrize("module", MODULES)
def test_what_is_imported_is_declared(packed, module):
    text = (ROOT / module).read_text(encoding="utf-8")
    assert imported_by(text, lazy=True) <= declared(packed, extras=True)
    own = {normal(Path(module).stem)}  # sriqa_metric/torchmetrics.py is for who has torchmetrics
    own |= {"pyarrow"} if Path(module).parent.name == "scale" else set()
    assert imported_by(text, lazy=False) <= declared(packed, extras=False) | own


def test_extras_are_those_that_messages_and_docs_name(packed):
    named = set()
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *SOURCE.rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for extras in re.findall(r"pip install '(?:sriqa-metric|\.)\[([\w,]+)\]'", text):
            named |= set(extras.split(","))
    assert {"calibrate", "clip", "plot", "pyiqa", "study"} <= named
    assert named <= set(packed.metadata.get_all("Provides-Extra"))


def test_the_wheel_holds_the_package_and_the_start_up_files(wheel):
    assert wheel.stat().st_size < 15_000_000
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in ("sriqa_metric_pyiqa.pth", "sriqa_metric_pyiqa.start"):
            assert archive.read(name) == (ROOT / "startup" / name).read_bytes()
    package = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == package | {
        "sriqa_metric_pyiqa.pth",
        "sriqa_metric_pyiqa.start",
        *(INFO + name for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")),
        INFO + "licenses/LICENSE",
    }
    for data in (
        "py.typed",
        "bundled/sriqa_lite.safetensors",
        "calibrate/configs/sriqa_lite.toml",
        "calibrate/release/card.md",
        "calibrate/study/static/index.html",
        "compare/report.html.j2",
    ):
        assert f"sriqa_metric/{data}" in names


def test_the_metadata_is_whole(packed):
    told = packed.metadata
    assert told["Version"] == sriqa_metric.__version__
    assert told["License-Expression"] == "Apache-2.0"
    assert told["Description-Content-Type"] == "text/markdown"
    listed = re.findall(r"Python :: 3\.(\d+)", "\n".join(told.get_all("Classifier")))
    minors = [int(minor) for minor in listed]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert told["Requires-Python"] == f">=3.{minors[0]}"
    assert "Typing :: Typed" in told.get_all("Classifier")
    for line in told.get_all("Project-URL") or []:
        assert re.fullmatch(r"[\w ]+, https://\S+", line)


def test_what_is_installed_is_this_and_its_commands_are_there(packed):
    assert metadata.version("sriqa-metric") == sriqa_metric.__version__
    points = {point.name: point for point in metadata.distribution("sriqa-metric").entry_points}
    commands = {"sriqa-score", "sriqa-compare", "sriqa-calibrate", "sriqa-weights"}
    assert set(points) == commands | {"sriqa_metric"}
    assert points["sriqa_metric"].group == "pyiqa.archs"
    assert {point.value for point in points.values()} == {
        point.value for point in packed.entry_points
    }
    assert all(callable(point.load()) for point in points.values())
