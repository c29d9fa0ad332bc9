"""`sriqa-score`: what work and memory it refuses, and scores that are no numbers."""

import io
import json
import math
import re
import subprocess
import sys

import pytest
import torch
from PIL import Image

import sriqa_metric as sriqa
from sriqa_metric import images
from sriqa_metric.cli.output import JsonLinesWriter, JsonWriter, Summary
from sriqa_metric.images import read_image
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.weights.format import save_weights
from tests.cli.running import CHELSEA, COFFEE, SMALL, run


@pytest.mark.answers(
    "Work and memory", "a file over the limit of pixels", "error that names the option --max-pixels"
)
def test_the_limit_of_pixels_is_an_option(tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (300, 250)).save(path, "PNG")
    small = run(str(path), "--max-pixels", str(300 * 250 - 1), "--format", "json")
    assert small.exit_code == 1
    (failed,) = json.loads(small.stdout)["failed"]
    assert failed["path"] == str(path)
    reason = "300×250 = 0.075 megapixels is over the limit of 0.074999; "
    way_out = "score a part, or raise max_pixels (--max-pixels of sriqa-score, sriqa-compare)"
    reason = f"{path}: {reason}{way_out}"
    assert failed["error"] == reason
    assert small.stderr.startswith(f"sriqa-score: {reason}\n")
    assert run(str(path), "--max-pixels", str(300 * 250)).exit_code == 0
    assert run(str(path), "--max-pixels", "0").exit_code == 2


def test_the_limit_of_pixels_holds_for_the_map_too(tmp_path, monkeypatch):
    limits, decode = [], images.decode_file
    monkeypatch.setattr(
        images, "decode_file", lambda path, limit: limits.append(limit) or decode(path, limit)
    )
    found = run(SMALL, "--map", str(tmp_path / "map.png"), "--max-pixels", "16384")
    assert found.exit_code == 0
    assert limits == [16384]  # read once for its score, its map and its picture


@pytest.mark.answers(
    "Work and memory",
    "a score and its map",
    "the image is read once, scored once, and each window once",
)
@pytest.mark.parametrize("ending", ["png", "csv"])
def test_a_map_scores_the_image_once(tmp_path, monkeypatch, ending, score):
    if ending == "png":
        pytest.importorskip("matplotlib")
    encoded, encode = [], CalibratedMetric.encode
    monkeypatch.setattr(
        CalibratedMetric,
        "encode",
        lambda self, crops, *rest: encoded.append(len(crops)) or encode(self, crops, *rest),
    )
    found = run(COFFEE, "--map", str(tmp_path / f"map.{ending}"), "--format", "json")
    assert json.loads(found.stdout)["results"][0]["score"] == score[COFFEE]
    assert sum(encoded) == 6 + 100  # its crops, and the windows of the map


@pytest.mark.answers(
    "Work and memory",
    "a map of an image far longer than wide",
    "error with the number of its windows; the image is scored",
)
def test_a_map_without_end_is_refused(tmp_path):
    path = tmp_path / "long.png"
    Image.new("L", (2_000_000, 1)).save(path)
    found = run(str(path), "--map", str(tmp_path / "map.png"))
    assert found.exit_code == 2
    assert found.stderr.splitlines()[-1].startswith(
        f"sriqa-score: {path}: its map would have 1×9333330 = 9333330 windows"
    )
    assert [one.name for one in tmp_path.iterdir()] == ["long.png"]


@pytest.mark.answers(
    "Work and memory",
    "a PNG of 2,000,000×1 pixels among others",
    "scored within seconds, as are the others",
)
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="cannot tell how much memory was used")
def test_a_long_thin_image_is_scored_with_little_memory(tmp_path):
    path = tmp_path / "long.png"
    Image.new("L", (2_000_000, 1)).save(path)
    assert path.stat().st_size < 5000
    code = "import sys, resource; from sriqa_metric.cli.score import app\n"
    code += "app(sys.argv[1:], standalone_mode=False)\n"
    code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    peaks = []
    for paths in ([COFFEE], [COFFEE, str(path)]):
        words = [sys.executable, "-c", code, "--format", "jsonl", *paths]
        found = subprocess.run(words, capture_output=True, text=True, check=True)
        assert [set(json.loads(line)) for line in found.stdout.splitlines()] == (
            [{"path", "score", "metric", "weights"}] * len(paths)
        )
        peaks.append(int(found.stderr.splitlines()[-1]))
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.answers(
    "Work and memory",
    "a file that memory does not suffice for",
    "error with its name, exit status 1; the others are scored",
)
def test_too_little_memory_for_a_file_is_a_failed_file(tmp_path, monkeypatch, score):
    def limited(image, **options):
        if image == CHELSEA:
            raise MemoryError
        return read_image(image)

    monkeypatch.setattr("sriqa_metric.scoring.to_tensor", limited)
    found = run(CHELSEA, COFFEE, "--format", "json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["results"] == [{"path": COFFEE, "score": score[COFFEE]}]
    assert found.stderr.splitlines() == [
        f"sriqa-score: {CHELSEA}: there is not enough memory to score it; "
        "set a smaller batch size, or score a part of it",
        "sriqa-score: 1 of 2 failed",
    ]


@pytest.mark.answers(
    "Outputs", "a score that is NaN or infinite", "error of that file; JSON never holds NaN"
)
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
def test_no_output_holds_a_score_that_is_no_number(tmp_path, form):
    metric = sriqa.load()
    for tensor in (metric.quality_model.scale, metric.quality_model.hidden.weight):
        tensor.fill_(3e38)  # finite, as weights must be, but no product of them is
    weights = tmp_path / "odd.safetensors"
    save_weights(weights, metric, {"training_data": "none"}, torch.float32)
    found = run(COFFEE, "--weights", str(weights), "--format", form)
    assert found.exit_code == 1
    assert "its score is nan; the weights are to blame, use others" in found.stderr
    rows = found.stdout.replace(f"{COFFEE}: its score is nan", "")
    assert not re.search(r"\b(nan|inf|infinity)\b", rows, re.IGNORECASE)


@pytest.mark.parametrize("writer", [JsonWriter, JsonLinesWriter])
def test_json_has_no_word_for_what_is_no_number(writer):
    def write(score):
        made = writer(io.StringIO(), "some_metric", "unsaved")
        made.scored("a.png", score)
        made.close(Summary(1, score))

    write(1.5)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(math.nan)
