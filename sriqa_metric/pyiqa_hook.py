"""Adds the metrics of this package to pyiqa as soon as pyiqa is imported.

pyiqa looks for metrics only in two of its own modules. A finder waits for these two, lets the
ordinary import system load each, and adds our entries right after. It runs at every start of the
interpreter, so nothing is imported here that the interpreter has not imported itself.
"""

import os
import sys

TYPE_CHECKING = False  # typing is not imported at every start of an interpreter
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

SWITCH = "SRIQA_NO_PYIQA_HOOK"
# Module of pyiqa -> what `pyiqa_plugin` calls to add our entries to it.
WATCHED = {
    "pyiqa.default_model_configs": "add_configs",
    "pyiqa.utils.registry": "add_network",
}


def install() -> None:
    """Add our metrics to pyiqa if it is loaded, else when it is; any number of calls is one.

    With the environment variable SRIQA_NO_PYIQA_HOOK=1 nothing is done for a pyiqa that is not
    loaded yet.
    """
    waiting = False
    for name in WATCHED:
        if name in sys.modules:
            _add(name, sys.modules[name])
        else:
            waiting = True
    if waiting and os.environ.get(SWITCH) != "1" and _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


class _Finder:
    """Finds the watched modules as the other finders do, and has our entries added."""

    def find_spec(
        self,
        name: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        if name not in WATCHED:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _call_after(spec)
                return spec
        return None


_FINDER = _Finder()


def _call_after(spec: "ModuleSpec") -> None:
    """Have our entries added once the module of `spec` is loaded."""
    loader = spec.loader
    load = getattr(loader, "exec_module", None)
    if load is None:
        return

    def exec_module(module: "ModuleType") -> None:
        load(module)
        if module.__name__ == spec.name:  # a loader may serve several modules
            _add(spec.name, module)

    loader.exec_module = exec_module  # type: ignore[union-attr, method-assign]


def _add(name: str, module: "ModuleType") -> None:
    # Whatever fails here, `import pyiqa` must not: its user may not even know of this package.
    try:
        from . import pyiqa_plugin

        getattr(pyiqa_plugin, WATCHED[name])(module)
    except Exception as error:
        import warnings

        warnings.warn(
            f"sriqa_metric could not add its metrics to {name}: {error!r}; "
            f"{SWITCH}=1 turns this off",
            RuntimeWarning,
            stacklevel=2,
        )
