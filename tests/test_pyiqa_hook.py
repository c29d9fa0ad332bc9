"""The hook against made packages named pyiqa, each in an interpreter of its own."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PYIQA = {
    "pyiqa/__init__.py": "from . import utils\nfrom .default_model_configs import *\n",
    "pyiqa/default_model_configs.py": "DEFAULT_CONFIGS = {'psnr': {}}\n",
    "pyiqa/utils/__init__.py": "from .registry import ARCH_REGISTRY\n",
    "pyiqa/utils/registry.py": """\
class Registry:
    def __init__(self):
        self.known = {}

    def register(self, obj):
        assert obj.__name__ not in self.known
        self.known[obj.__name__] = obj

    def get(self, name):
        return self.known[name]


ARCH_REGISTRY = Registry()
""",
}
SHOW = "print(*pyiqa.DEFAULT_CONFIGS, *pyiqa.utils.ARCH_REGISTRY.known)"
ALL = "psnr sriqa_lite sriqa_clip sriqa_dbcnn sriqa_hyperiqa sriqa_metric_network"


@pytest.fixture
def made_pyiqa(tmp_path):
    """A folder with a package `pyiqa`; files can be replaced."""
    for name, text in PYIQA.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(code: str, *folders: Path, **environment: str) -> subprocess.CompletedProcess:
    paths = os.pathsep.join(map(str, [ROOT, *folders]))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SRIQA_")}
    return subprocess.run(
        # -S: without the start-up file of an installed package.
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        env=clean | {"PYTHONPATH": paths} | environment,
    )


@pytest.mark.parametrize(
    "imports",
    [
        "import sriqa_metric, pyiqa",
        "import pyiqa, sriqa_metric",
        "import sriqa_metric.pyiqa_hook as h; h.install(); h.install(); import pyiqa; h.install()",
        "import pyiqa.utils.registry, sriqa_metric, pyiqa",
    ],
)
def test_metrics_are_added_whatever_is_imported_first(made_pyiqa, imports):
    done = run(f"{imports}; {SHOW}", made_pyiqa)
    assert done.stdout.strip() == ALL
    assert done.stderr == ""


def test_packages_in_a_zip_file_work_too(made_pyiqa, tmp_path):
    archive = tmp_path / "packages.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, text in PYIQA.items():
            file.writestr(name, text)
    done = run(f"import sriqa_metric, pyiqa; {SHOW}", archive)
    assert done.stdout.strip() == ALL


def test_only_the_standard_library_is_imported_and_pyiqa_is_not():
    done = run(
        "import os, sys; before = set(sys.modules); import sriqa_metric;"
        "print(sorted(set(sys.modules) - before))"
    )
    assert done.stdout.strip() == (
        "['sriqa_metric', 'sriqa_metric.pyiqa_hook', 'sriqa_metric.version']"
    )


def test_the_switch_turns_the_hook_off(made_pyiqa):
    code = f"import sriqa_metric, pyiqa; {SHOW}"
    assert run(code, made_pyiqa, SRIQA_NO_PYIQA_HOOK="1").stdout.strip() == "psnr"
    assert run(code, made_pyiqa, SRIQA_NO_PYIQA_HOOK="0").stdout.strip() == ALL
    after = f"import pyiqa, sriqa_metric; {SHOW}"
    assert run(after, made_pyiqa, SRIQA_NO_PYIQA_HOOK="1").stdout.strip() == ALL


def test_a_metric_of_somebody_else_is_left_alone(made_pyiqa):
    configs = made_pyiqa / "pyiqa/default_model_configs.py"
    configs.write_text("DEFAULT_CONFIGS = {'sriqa_lite': 'theirs'}\n")
    done = run("import sriqa_metric, pyiqa; print(pyiqa.DEFAULT_CONFIGS['sriqa_lite'])", made_pyiqa)
    assert done.stdout.strip() == "theirs"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "pyiqa has a metric 'sriqa_lite' of somebody else's already" in done.stderr


def test_a_network_of_somebody_else_is_left_alone(made_pyiqa):
    registry = made_pyiqa / "pyiqa/utils/registry.py"
    registry.write_text(
        PYIQA["pyiqa/utils/registry.py"]
        + "def sriqa_metric_network(): ...\n\n\nARCH_REGISTRY.register(sriqa_metric_network)\n"
    )
    done = run(
        "import sriqa_metric, pyiqa;"
        "print(pyiqa.utils.ARCH_REGISTRY.get('sriqa_metric_network').__module__)",
        made_pyiqa,
    )
    assert done.stdout.strip() == "pyiqa.utils.registry"
    assert "pyiqa has a network 'sriqa_metric_network' of somebody else's" in done.stderr


def test_a_pyiqa_that_we_do_not_know_is_imported_all_the_same(made_pyiqa):
    (made_pyiqa / "pyiqa/default_model_configs.py").write_text("MOVED = {}\n")
    (made_pyiqa / "pyiqa/__init__.py").write_text("from . import default_model_configs\n")
    done = run("import sriqa_metric, pyiqa; print('imported')", made_pyiqa)
    assert done.stdout.strip() == "imported"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "could not add its metrics to pyiqa.default_model_configs" in done.stderr
    assert "SRIQA_NO_PYIQA_HOOK=1" in done.stderr


def test_errors_of_pyiqa_itself_come_through(made_pyiqa):
    (made_pyiqa / "pyiqa/utils/registry.py").write_text("raise ValueError('theirs')\n")
    done = run("import sriqa_metric, pyiqa", made_pyiqa)
    assert done.stderr.strip().endswith("ValueError: theirs")
    assert "RuntimeWarning" not in done.stderr


def test_no_pyiqa_is_an_import_error_as_always():
    done = run(
        "import sriqa_metric\ntry: import pyiqa.utils.registry\nexcept ImportError: print('none')"
    )
    assert done.stdout.strip() == "none"


def test_pyiqa_s_source_and_reload_still_work(made_pyiqa):
    done = run(
        "import importlib, inspect, sriqa_metric, pyiqa;"
        "print(inspect.getsource(pyiqa.default_model_configs).strip());"
        "importlib.reload(pyiqa.default_model_configs);"
        "print('sriqa_lite' in pyiqa.default_model_configs.DEFAULT_CONFIGS)",
        made_pyiqa,
    )
    assert done.stdout.splitlines() == ["DEFAULT_CONFIGS = {'psnr': {}}", "True"]


def test_the_start_up_files_name_what_there_is():
    from sriqa_metric import pyiqa_hook

    folder = ROOT / "startup"
    assert {path.stem for path in folder.iterdir()} == {"sriqa_metric_pyiqa"}
    assert (folder / "sriqa_metric_pyiqa.pth").read_text() == "import sriqa_metric\n"
    entry = (folder / "sriqa_metric_pyiqa.start").read_text().strip()
    module, _, function = entry.partition(":")
    assert module == pyiqa_hook.__name__
    assert callable(getattr(pyiqa_hook, function))


def test_the_start_up_file_adds_the_metrics(made_pyiqa, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "a_path.pth").write_text(f"{ROOT}\n")
    (site / "sriqa_metric_pyiqa.pth").write_bytes(
        (ROOT / "startup/sriqa_metric_pyiqa.pth").read_bytes()
    )
    done = run(f"import site; site.addsitedir({str(site)!r}); import pyiqa; {SHOW}", made_pyiqa)
    assert done.stdout.strip() == ALL
