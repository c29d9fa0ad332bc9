import pytest

from sriqa_metric.calibrate.config import load_config, shipped_configs
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


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sead=3", "unknown setting sead; known: metric, initial, base, seed"),
        ("rectifier.rate=3", "unknown setting rectifier.rate; known: epochs"),
        ("rectifier.epochs=many", "setting rectifier.epochs: expected int, got 'many'"),
        ("rectifier.epochs=true", "setting rectifier.epochs: expected int, got True"),
        ("rectifier.epochs", "override 'rectifier.epochs': expected key=value"),
        ("seed.x=1", "'seed' is not a section"),
        ("rectifier=1", "setting rectifier: expected RectifierConfig, got 1"),
    ],
)
def test_wrong_overrides_are_quoted(override, message):
    with pytest.raises(SriqaError) as caught:
        load_config("sriqa_lite", [override])
    assert message in str(caught.value)


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
