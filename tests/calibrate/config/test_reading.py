import json
from dataclasses import fields, is_dataclass
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sriqa_metric.calibrate.config import RunConfig, load_config, shipped_configs
from sriqa_metric.errors import SriqaError


def test_shipped_configs_are_whole():
    assert "sriqa_lite" in shipped_configs()
    for name in shipped_configs():
        assert load_config(name).metric == name


def test_overrides_take_toml_values_and_bare_words():
    config = load_config(
        "sriqa_lite",
        ["seed=3", "rectifier.lr=1", "data.sr=some dir", 'validation.methods=["a", "b"]'],
    )
    assert config.seed == 3
    assert config.rectifier.lr == 1.0
    assert config.data.sr == "some dir"
    assert config.validation.methods == ["a", "b"]


@pytest.mark.answers(
    "Training runs",
    "a setting that there is not, of the wrong type or out of its range",
    "error that quotes it and says what it may be",
)
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sead=3", "unknown setting sead; known: metric, initial, base, seed"),
        ("rectifier.rate=3", "unknown setting rectifier.rate; known: epochs"),
        ("rectifier.epochs=many", "setting rectifier.epochs: expected int, got 'many'"),
        ("rectifier.epochs=true", "setting rectifier.epochs: expected int, got True"),
        ("rectifier.epochs", "override 'rectifier.epochs': expected key=value"),
        ("seed.x=1", "'seed' is not a section"),
        ("rectifier=1", "setting rectifier: expected a table, got 1"),
        ("rectifier.lr=-1", "setting rectifier.lr is -1.0; it must be 0 or more"),
        ("rectifier.lr=nan", "setting rectifier.lr is nan; it must be 0 or more"),
        ("rectifier.lr=" + "9" * 400, "it must be 0 or more"),
        ("rectifier.draws=10001", "setting rectifier.draws is 10001; it must be 0 to 10000"),
        ("labels.epochs=-1", "setting labels.epochs is -1; it must be 0 or more"),
        ("labels.batch=1", "setting labels.batch is 1; it must be 2 or more"),
        ("labels.crops=0", "setting labels.crops is 0; it must be 1 or more"),
        ("labels.period=0", "setting labels.period is 0; it must be 1 or more"),
        ("labels.precision=fp16", "setting labels.precision is 'fp16'; it must be bf16 or fp32"),
        ("validation.methods=[1]", "setting validation.methods: expected a list of str, got [1]"),
        ("data.labelled=x=y", "setting data.labelled: expected list, got 'x=y'"),
    ],
)
def test_wrong_overrides_are_quoted(override, message):
    with pytest.raises(SriqaError) as caught:
        load_config("sriqa_lite", [override])
    assert message in str(caught.value)


@pytest.mark.answers(
    "Training runs", "a config that is missing or no TOML", "error: the configs that there are"
)
def test_files_are_read_and_broken_ones_named(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('metric = "sriqa_lite"\nseed = 5\n')
    assert load_config(str(path)).seed == 5
    path.write_text("seed = 5\n")
    with pytest.raises(SriqaError, match="the key 'metric' is missing"):
        load_config(str(path))
    path.write_text("seed = = 5\n")
    with pytest.raises(SriqaError, match="not a TOML file"):
        load_config(str(path))
    with pytest.raises(SriqaError, match=r"nope\.toml: No such file.*sriqa_lite"):
        load_config("nope.toml")


@pytest.mark.answers(
    "Training runs", "a config that is no UTF-8, or nested without end", "error with its name"
)
def test_what_is_no_text_is_told(tmp_path):
    path = tmp_path / "run.toml"
    path.write_bytes(b"metric = \xff")
    with pytest.raises(SriqaError, match=r"run\.toml"):
        load_config(str(path))
    path.write_text("metric = " + "[" * 20_000)
    with pytest.raises(SriqaError, match="not a TOML file"):
        load_config(str(path))


def names_of(section) -> list[str]:
    """Every setting there is, as it is overridden."""
    found = []
    for entry in fields(section):
        value = getattr(section, entry.name)
        inside = names_of(value) if is_dataclass(value) else [""]
        found += [f"{entry.name}.{name}".rstrip(".") for name in inside]
        found.append(entry.name)
    return found


def toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, (bool, str)):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml(key)} = {toml(inside)}' for key, inside in value.items())}}}"
    return value.isoformat() if isinstance(value, date) else repr(value)


SETTINGS = sorted(set(names_of(RunConfig("sriqa_lite"))))
VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**63, 0, 1, -1])
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.datetimes(),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=4), inside, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.answers(
    "Training runs", "any value of TOML for any setting", "settings, or one clear error"
)
@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(SETTINGS), value=VALUES)
def test_any_value_gives_settings_or_one_clear_error(name, value):
    override = f"{name}={toml(value)}"
    try:
        config = load_config("sriqa_lite", [override])
    except SriqaError:
        return
    assert isinstance(config, RunConfig)
    assert load_config("sriqa_lite", [override]) == config
