"""The paper from beginning to end, on made sets in the owners' layouts and random weights."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import sriqa_metric as sriqa
from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.pipelines import adapted, reproduce
from sriqa_metric.crops import CropPolicy
from sriqa_metric.weights.format import read_file
from tests.random_weights import save_random

METHODS = ("sharp", "soft", "dull")


@pytest.fixture
def sets(made_data, tmp_path) -> dict[str, Path]:
    """KonIQ-10k, PIPAL and RealSR-1K of a few images each."""
    source = [made_data / "sr" / method / f"c{k}.png" for k in range(6) for method in METHODS]
    koniq, pipal, realsr1k = (tmp_path / name for name in ("koniq", "pipal", "realsr1k"))
    (koniq / "512x384").mkdir(parents=True)
    lines = ["image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set"]
    parts = ["training"] * 6 + ["validation"] * 3 + ["test"] * 6
    for index, (path, part) in enumerate(zip(source[: len(parts)], parts, strict=True)):
        shutil.copy(path, koniq / "512x384" / f"{index}.png")
        lines.append(f"{index}.png,0,0,1,0,0,9,{70 - 20 * (index % 3) + index},0.5,{part}")
    (koniq / "koniq10k_distributions_sets.csv").write_text("\n".join([*lines, ""]))

    for folder in ("Train_Dist", "Train_Label", "Val_Dist"):
        (pipal / folder).mkdir(parents=True)
    for content, images in (("A1", source[:3]), ("A2", source[3:6])):
        rows = []
        for index, path in enumerate(images):
            shutil.copy(path, pipal / "Train_Dist" / f"{content}_{index}.png")
            rows.append(f"{content}_{index}.png,{1500 - 100 * index}\n")
        (pipal / "Train_Label" / f"{content}.txt").write_text("".join(rows))
    rows = []
    for index, path in enumerate(source[6:9]):
        shutil.copy(path, pipal / "Val_Dist" / f"A3_{index}.png")
        rows.append(f"A3_{index}.png,{1500 - 100 * index}\n")
    (pipal / "val_label.txt").write_text("".join(rows))

    lines = ["sr_pair_names,group,name1_column,name2_column,score1_column,score2_column"]
    for content in ("c0", "new"):
        for a, b in (("sharp", "soft"), ("sharp", "dull"), ("soft", "dull")):
            folder = realsr1k / "RealSR-1K" / "MAD_images" / f"{a}_{b}"
            folder.mkdir(parents=True, exist_ok=True)
            for method in (a, b):
                path = made_data / "sr" / method / "c0.png"
                shutil.copy(path, folder / f"{content}_{method}.png")
            lines.append(f"{a}_{b},mad,{content}_{a}.png,{content}_{b}.png,{18 / 23},{5 / 23}")
    (realsr1k / "votes.csv").write_text("\n".join([*lines, ""]))
    return {"koniq": koniq, "pipal": pipal, "realsr1k": realsr1k}


@pytest.mark.slow
def test_reproduction_ends_with_tables_and_weights_and_goes_on(
    made_data, sets, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    initial = save_random("sriqa_hyperiqa", tmp_path, CropPolicy())
    overrides = [
        f"initial={initial}",
        f"data.sr={made_data / 'sr'}",
        "validation.contents=2",
        "labels.epochs=1",
        "labels.batch=3",
        "labels.crops=1",
        "labels.precision=fp32",
        "rectifier.epochs=2",
        "rectifier.draws=1",
    ]
    config = load_config("sriqa_hyperiqa", overrides)
    output = tmp_path / "paper"
    weights = reproduce(config, **sets, output=output, device=torch.device("cpu"))
    description = read_file(weights).description
    assert description["training_data"]["sr_results"] == "3 methods x 3"  # c0 is a test content
    assert description["training_data"]["koniq10k"]["images"] == 6
    assert isinstance(
        sriqa.load("sriqa_hyperiqa", weights=weights).score(made_data / "sr" / "dull" / "c1.png"),
        float,
    )
    table = (output / "evaluation.md").read_text()
    assert "human majority" in table
    assert "SRCC" in table
    figures = json.loads((output / "rectifier" / "report.json").read_text())["figures"]
    assert {"SRCC koniq10k", "SRCC pipal"} <= set(figures["calibrated"])
    before = weights.stat().st_mtime_ns
    shutil.rmtree(output / "rectifier" / "features")
    again = reproduce(config, **sets, output=output, device=torch.device("cpu"))
    assert again.stat().st_mtime_ns == before


def test_recalibration_takes_few_photos_and_labelled_images(made_data, tmp_path):
    sr = made_data / "sr"
    config = adapted(
        "sriqa_lite", sr, sr / "ranking.csv", made_data / "photos", labelled=["mos=DIR"]
    )
    assert config.validation.photos == 1
    assert config.data.labelled == ["mos=DIR"]
    assert config.rectifier.identity_weight > 0
