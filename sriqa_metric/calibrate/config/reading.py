"""Settings from TOML files with known keys, and `key=value` overrides."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from ...errors import SriqaError
from .checked import is_finite
from .settings import RunConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SHIPPED = resources.files("sriqa_metric.calibrate") / "configs"
_Section = TypeVar("_Section")


def load_config(name_or_path: str, overrides: list[str] | None = None) -> RunConfig:
    """Read a run's settings.

    Parameters
    ----------
    name_or_path : str
        A config that ships with the package (`sriqa_lite`), or the path of a TOML file.
    overrides : list of "section.key=value"
        Values in TOML syntax; what is not TOML counts as a string.

    Raises
    ------
    SriqaError
        For a file that is missing or no TOML, and for a key or a value of the wrong kind.
    """
    values = _read(name_or_path)
    for override in overrides or []:
        _apply(values, override)
    try:
        base = RunConfig(metric=values.pop("metric"))
    except KeyError:
        raise SriqaError(f"{name_or_path}: the key 'metric' is missing") from None
    return _filled(base, values, where="")


def shipped_configs() -> list[str]:
    """Names of the configs that ship with the package."""
    names = (entry.name for entry in _SHIPPED.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def _read(name_or_path: str) -> dict[str, Any]:
    if name_or_path in shipped_configs():
        text = (_SHIPPED / f"{name_or_path}.toml").read_text()
    else:
        try:
            text = Path(name_or_path).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SriqaError(
                f"{name_or_path}: {reason}; give the path of a TOML file, "
                f"or one of {', '.join(shipped_configs())}"
            ) from None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SriqaError(f"{name_or_path}: not a TOML file: {error}") from None


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise SriqaError(f"override {override!r}: expected key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text
    *sections, last = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SriqaError(f"override {override!r}: {section!r} is not a section")
    values[last] = value


def _filled(base: _Section, values: dict[str, Any], where: str) -> _Section:
    """`base` with the values of a TOML table; the sections check types and ranges themselves."""
    known = {entry.name: getattr(base, entry.name) for entry in fields(base)}  # type: ignore[arg-type]
    changed = {}
    for key, value in values.items():
        if key not in known:
            raise SriqaError(f"unknown setting {where}{key}; known: {', '.join(known)}")
        changed[key] = value
        if is_dataclass(known[key]):
            if not isinstance(value, dict):
                raise SriqaError(f"setting {where}{key}: expected a table, got {value!r}")
            changed[key] = _filled(known[key], value, f"{where}{key}.")
        elif isinstance(known[key], float) and type(value) is int and is_finite(value):
            changed[key] = float(value)
    return replace(base, **changed)  # type: ignore[type-var]
