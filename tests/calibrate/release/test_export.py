"""The final file of a run: complete, as exact as it says, and with its own figures only."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from typer import Typer
from typer.testing import CliRunner

from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.evaluation.report import COLUMNS
from sriqa_metric.calibrate.release import cli
from sriqa_metric.calibrate.release.evaluation_rows import read_figures
from sriqa_metric.calibrate.release.export import _full_parts, export
from sriqa_metric.calibrate.release.precision import LARGEST_DIFFERENCE, made_images
from sriqa_metric.calibrate.training.crop_batches import Sources
from sriqa_metric.calibrate.training.label_training import train_on_labels
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.runs import train
from sriqa_metric.errors import SriqaError
from sriqa_metric.scoring import score_all
from sriqa_metric.weights.format import read_file, weights_id
from sriqa_metric.weights.load import load_source
from tests.calibrate.planted import SMALL, planted, tiny

WEIGHTS = "weights.safetensors"


def dtypes(path) -> set[str]:
    with safe_open(path, "np") as file:
        return {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118


def in_float32(run, base):
    """The metric as it was when the training ended, put together without `export`."""
    metric = load_source(str(base))
    kept = torch.load(run / "rectifier.checkpoint", weights_only=True)["state"]["best_state"]
    metric.rectifier.load_state_dict(kept)
    return metric


def copy_of(run, folder, *left_out):
    folder.mkdir()
    for path in run.iterdir():
        if path.name not in left_out:
            shutil.copy(path, folder)
    return folder


def test_the_file_tells_everything_and_scores_as_the_run(exported, run, base, picture):
    description = read_file(exported).description
    assert description["metric"] == "sriqa_lite"
    assert description["encoder"] == "EfficientNet-Lite0"
    assert description["encoder_source"]["weights"] == weights_id(base)
    assert description["encoder_source"]["training_data"] == "none: random weights"
    assert description["crop_policy"]["number"] == 1
    assert description["training_data"]["sr_sha256"] == "2" * 64
    assert description["training_data"]["ranking"]["soft"] == 0.25
    assert description["license"] == "CC-BY-4.0"
    assert description["held_out"]["figures"]["calibrated"]["srcc"] == 0.75
    assert description["run"] == {"weights": weights_id(run / WEIGHTS)}
    assert {"format_version", "package_version", "settings"} <= description.keys()
    assert dtypes(exported) == {"F16"}
    scores = [load_source(str(path)).score(picture) for path in (exported, run / WEIGHTS)]
    assert scores[0] == scores[1]


def test_no_folder_of_the_machine_is_told(exported, run, base, figures):
    with safe_open(exported, "np") as file:
        text = file.metadata()["sriqa"]
    for place in (run, base, figures):
        assert str(place.parent) not in text


@pytest.mark.parametrize("name", ["run", "coarse"])
def test_the_dtype_follows_the_measured_difference(name, request, base, tmp_path, picture):
    run = request.getfixturevalue(name)
    precision = export(run, tmp_path / "final.safetensors", "MIT")
    exact = in_float32(run, base)
    images = made_images()
    rounded = score_all(load_source(str(run / WEIGHTS)), images)
    difference = np.abs(np.subtract(score_all(exact, images), rounded)).max()
    assert precision["largest_difference"] == pytest.approx(difference, rel=1e-6)
    assert precision["reference"] == "12 made images"
    assert precision["float32_values"] == ["rectifier", "quality_model"]
    small = difference < LARGEST_DIFFERENCE
    assert small == (name == "run")
    assert precision["dtype"] == ("float16" if small else "float32")
    assert dtypes(tmp_path / "final.safetensors") == {"F16" if small else "F32"}
    written = load_source(str(tmp_path / "final.safetensors"))
    if not small:
        for tensor, kept in zip(*(m.state_dict().values() for m in (written, exact)), strict=True):
            assert torch.equal(tensor, kept)
        assert written.score(picture) == pytest.approx(exact.score(picture), abs=1e-5)
    assert read_file(tmp_path / "final.safetensors").description["precision"] == precision


def test_given_images_count_too(run, made_data, tmp_path):
    precision = export(run, tmp_path / "x.safetensors", "MIT", reference=made_data / "photos")
    assert precision["reference"] == "12 made images and 6 given"


def test_what_has_no_float32_values_is_not_said_to_have(run, tmp_path):
    kept = copy_of(run, tmp_path / "kept", "rectifier.checkpoint")
    config = json.loads((kept / "config.json").read_text())
    (kept / "config.json").write_text(json.dumps({**config, "base": str(tmp_path / "gone")}))
    precision = export(kept, tmp_path / "x.safetensors", "MIT")
    assert precision["float32_values"] == []
    assert precision["dtype"] == "float16"
    source = read_file(tmp_path / "x.safetensors").description["encoder_source"]
    assert list(source) == ["weights"]


def test_a_stage_one_is_exported_from_its_checkpoint(run, tmp_path):
    stage_one = copy_of(run, tmp_path / "one", "rectifier.checkpoint")
    config = json.loads((stage_one / "config.json").read_text())
    (stage_one / "config.json").write_text(json.dumps({**config, "base": ""}))
    state = load_source(str(run / WEIGHTS)).quality_model.state_dict()
    torch.save({"step": 1, "state": {"best_state": state}}, stage_one / "labels.checkpoint")
    assert export(stage_one, tmp_path / "x.safetensors", "MIT")["float32_values"] == [
        "quality_model"
    ]


def test_a_run_as_train_leaves_it(base, made_data, tmp_path):
    overrides = [
        f"base={base}",
        f"data.sr={made_data / 'sr'}",
        "validation.contents=1",
        'validation.methods=["soft"]',
        "rectifier.epochs=1",
        "rectifier.labelled_weight=0",
    ]
    train(load_config("sriqa_lite", overrides), tmp_path / "run", torch.device("cpu"))
    precision = export(tmp_path / "run", tmp_path / "x.safetensors", "MIT")
    assert precision["float32_values"] == ["rectifier", "quality_model"]
    description = read_file(tmp_path / "x.safetensors").description
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert description["held_out"]["figures"] == report["figures"]
    assert description["training_data"]["methods"] == ["sharp", "dull"]


def test_stage_one_keeps_its_best_state_where_export_looks(tmp_path):
    model, sets = tiny(), [planted(tmp_path, "a", 6)]
    with RunFolder(tmp_path / "run", {}) as folder:
        given = Sources(tuple(sets))
        train_on_labels(model, given, given, SMALL, 0, folder, torch.device("cpu"))
    [(part, _, values)] = _full_parts(tmp_path / "run", None)
    assert part == "quality_model"
    state = {f"quality_model.{name}": tensor for name, tensor in model.state_dict().items()}
    assert values.keys() == state.keys()
    assert all(torch.equal(values[name], state[name]) for name in state)


def test_the_same_again_gives_the_same_bytes(run, figures, tmp_path):
    output = tmp_path / "final.safetensors"
    export(run, output, "MIT", [figures])
    first = output.read_bytes()
    export(run, output, "MIT", [figures])
    assert output.read_bytes() == first


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_a_checkpoint_of_another_run_or_kind_is_refused(run, coarse, tmp_path, capsys):
    other = copy_of(run, tmp_path / "other")
    shutil.copy(coarse / "rectifier.checkpoint", other)
    with pytest.raises(SriqaError, match=r"checkpoint: its rectifier is not that of .*other"):
        export(other, tmp_path / "x.safetensors", "MIT")
    for content, words in (
        (pickle.dumps(Evil(), 2), "nothing of it was run|than tensors"),
        (b"", "cannot read"),
    ):
        (other / "rectifier.checkpoint").write_bytes(content)
        with pytest.raises(SriqaError, match=words):
            export(other, tmp_path / "x.safetensors", "MIT")
    torch.save({"step": 1}, other / "rectifier.checkpoint")
    with pytest.raises(SriqaError, match="is no checkpoint of a run"):
        export(other, tmp_path / "x.safetensors", "MIT")
    assert "run" not in capsys.readouterr().out
    assert not (tmp_path / "x.safetensors").exists()


def test_what_is_no_finished_run_or_no_place_is_told(run, tmp_path):
    with pytest.raises(SriqaError, match=r"part: no finished run: there is no report\.json"):
        export(copy_of(run, tmp_path / "part", "report.json"), tmp_path / "x.safetensors", "MIT")
    with pytest.raises(SriqaError, match="no finished run"):
        export(tmp_path / "none", tmp_path / "x.safetensors", "MIT")
    with pytest.raises(SriqaError, match="is the run's own file"):
        export(run, run / WEIGHTS, "MIT")
    with pytest.raises(SriqaError, match="cannot be written"):
        export(run, tmp_path / "none" / "x.safetensors", "MIT")


def test_figures_are_kept_with_the_metrics_name(exported, run, figures):
    found = read_file(exported).description["evaluation"]
    given = json.loads(figures.read_text())
    assert len(found["rows"]) == len(given["rows"]) > 4
    for row, before in zip(found["rows"], given["rows"], strict=True):
        names = ("metric", "versus")
        assert {k: v for k, v in row.items() if k not in names} == {
            k: v for k, v in before.items() if k not in names
        }
    own = weights_id(run / WEIGHTS)
    named = {(row["metric"], row["weights"], row["versus"]) for row in found["rows"]}
    assert named == {
        ("sriqa_lite", own, ""),
        ("sriqa_lite:uncalibrated", f"{own}:uncalibrated", ""),
        ("sriqa_lite", "", "sriqa_lite:uncalibrated"),
    }
    assert found["measured_on"] == {own: "these tensors"}


def row(weights: str, **changes) -> dict:
    values = ("m", weights, "set", "all", "SRCC", 0.5, 0.25, 0.75, 9, "", None)
    return dict(zip(COLUMNS, values, strict=True)) | changes


def write(path, *rows):
    path.write_text(json.dumps({"rows": rows, "notes": ["m: a note"]}))
    return path


def test_figures_of_an_earlier_export_belong_where_its_tensors_are_the_same(coarse, tmp_path):
    output = tmp_path / "final.safetensors"
    export(coarse, output, "MIT")
    own = write(tmp_path / "own.json", row(weights_id(output)))
    of_run = write(tmp_path / "run.json", row(weights_id(coarse / WEIGHTS), group="other"))
    export(coarse, output, "MIT", [own, of_run])
    found = read_file(output).description["evaluation"]
    assert sorted(found["measured_on"].values()) == ["these tensors", "these tensors in float16"]
    assert found["notes"] == ["sriqa_lite: a note"] * 2
    with pytest.raises(SriqaError, match="are not of these weights"):
        export(coarse, tmp_path / "elsewhere.safetensors", "MIT", [own])
    assert not (tmp_path / "elsewhere.safetensors").exists()


# What is wrong with a report -> (its rows, or its text; words of the message). ID is the run's.
WRONG = {
    "other weights": ([row("sha256:0123456789ab")], "m, weights sha256:0123456789ab, are not"),
    "others beside": ([row("ID"), row("pyiqa 1 niqe", metric="niqe")], "figures of niqe, weights"),
    "other file": ([row("file sha256:ID")], "are not of these weights"),
    "difference": ([row("ID"), row("", versus="niqe", p=0.5)], "figures of niqe are not"),
    "twice": ([row("ID"), row("ID")], "sriqa_lite set all SRCC is given twice"),
    "no rows": ([], "holds no figures"),
    "lacks a column": ([{"metric": "m"}], "holds no figures"),
    "text for a number": ([row("ID", value="0.9")], "holds no figures"),
    "not a number": ([row("ID", value=float("nan"))], "holds no figures"),
    "fraction of images": ([row("ID", n=1.5)], "holds no figures"),
    "list": ("[]", "holds no figures"),
    "no JSON": ("metric,weights", "holds no figures"),
    "rows no list": ('{"rows": 3, "notes": []}', "holds no figures"),
}


@pytest.mark.parametrize("name", WRONG)
def test_figures_that_are_not_its_own_are_refused(name, tmp_path):
    rows, words = WRONG[name]
    own = "sha256:aaaaaaaaaaaa"
    path = tmp_path / "figures.json"
    text = rows if isinstance(rows, str) else json.dumps({"rows": rows, "notes": []})
    path.write_text(text.replace("ID", own))
    with pytest.raises(SriqaError, match=f"figures.json.*{words}"):
        read_figures([path], "sriqa_lite", {own})


def test_figures_that_are_not_there_are_told(tmp_path):
    with pytest.raises(SriqaError, match="cannot read the figures: No such file"):
        read_figures([tmp_path / "none.json"], "sriqa_lite", ())


def test_command(run, figures, tmp_path):
    app = Typer()
    app.command()(cli.export)
    output = tmp_path / "final.safetensors"
    arguments = [str(run), "-o", str(output), "--license", "MIT", "--evaluation", str(figures)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert f"{output} {weights_id(output)}" in result.output
    assert "float16" in result.output
