"""Data sets on a real Ray runtime: every image once, with the score that it has alone."""

import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sriqa_metric as sriqa
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError
from sriqa_metric.scale import DatasetScores, score_dataset
from tests.random_weights import save_random

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Of a metric that takes a few milliseconds for an image."""
    return save_random("sriqa_lite", tmp_path_factory.mktemp("w"), CropPolicy(size=64, number=2))


@pytest.fixture
def score(cluster, weights, tmp_path):
    """Score with these weights, and read what was written."""

    def scored(source, output=None, **options):
        place = output or str(tmp_path / "scores.parquet")
        found = score_dataset(source, weights=weights, output=place, **options)
        rows = pq.read_table(place).to_pylist() if output is None else []
        return found, {row["path"]: row for row in rows}

    return scored


def alone(weights: Path, paths) -> dict[str, float]:
    metric = sriqa.load(weights=weights)
    return {str(path): metric.score(path) for path in paths}


def check(rows, expected):
    assert rows.keys() == expected.keys()
    for path, value in expected.items():
        assert rows[path]["error"] is None
        assert rows[path]["score"] == pytest.approx(value, abs=1e-5)


@pytest.mark.answers("Data sets on Ray", "a file twice in a list", "scored once")
@pytest.mark.answers("Data sets on Ray", "any image", "the score of `sriqa-score`, to 1e-5")
@pytest.mark.parametrize("kind", ["folder", "pattern", "list", "subfolders"])
def test_files_are_scored_as_they_are_alone(kind, score, weights, pictures):
    folder = pictures[0].parent
    source = {
        "folder": folder,
        "pattern": f"{folder}/*.png",
        "list": [*pictures, pictures[0]],  # one of them twice
        "subfolders": folder.parent,
    }[kind]
    found, rows = score(source, recursive=kind == "subfolders")
    assert found == DatasetScores(4, 0, 0)
    check(rows, alone(weights, pictures))
    first = rows[str(pictures[0])]
    assert (first["width"], first["height"], first["metric"]) == (260, 300, "sriqa_lite")
    assert first["weights"] == sriqa.load(weights=weights).weights_id


@pytest.mark.answers(
    "Data sets on Ray",
    "an image of a Parquet or tar shard",
    "the score of its file, as `SHARD#ROW` or `SHARD#MEMBER`",
)
@pytest.mark.answers("Data sets on Ray", "a run whose output holds all images", "scores none again")
@pytest.mark.parametrize("column", ["struct", "bytes"])
def test_shards_are_scored_as_their_files_are(column, score, weights, pictures, tmp_path):
    data = [path.read_bytes() for path in pictures]
    values = [{"bytes": one, "path": None} for one in data] if column == "struct" else data
    names = [path.name for path in pictures]
    shard, archive = tmp_path / "s" / "0.parquet", tmp_path / "s" / "1.tar"
    shard.parent.mkdir()
    pq.write_table(pa.table({"name": names, "image": values}), shard, row_group_size=3)
    with tarfile.open(archive, "w") as tar:
        for path in pictures:
            tar.add(path, path.name)
            label = tarfile.TarInfo(f"{path.stem}.txt")
            label.size = 1
            tar.addfile(label, io.BytesIO(b"7"))
    found, rows = score(shard.parent)
    assert found == DatasetScores(8, 0, 0)
    values = alone(weights, pictures).values()
    expected = {f"{shard}#{row}": value for row, value in enumerate(values)}
    expected |= {f"{archive}#{p.name}": v for p, v in zip(pictures, values, strict=True)}
    check(rows, expected)
    assert score(shard.parent)[0] == DatasetScores(0, 0, 8)


@pytest.mark.answers(
    "Data sets on Ray", "a damaged, missing or oversized file", "a row with its error"
)
@pytest.mark.answers(
    "Data sets on Ray", "a tar file that is cut off", "its whole images, and a row with the error"
)
@pytest.mark.answers(
    "Data sets on Ray",
    "a Parquet file without a column of image bytes",
    "a row with the error, which lists the columns",
)
def test_what_cannot_be_read_is_a_row_with_its_error(score, pictures, tmp_path):
    folder = pictures[0].parent
    (folder / "cut.png").write_bytes(pictures[0].read_bytes()[:5000])
    (folder / "text.png").write_text("no image")
    (folder / "cut.tar").write_bytes(b"")
    with tarfile.open(folder / "cut.tar", "w") as tar:
        tar.add(pictures[1], "whole.png")
        tar.add(pictures[0], "half.png")
    end = (folder / "cut.tar").stat().st_size - pictures[0].stat().st_size
    with (folder / "cut.tar").open("rb+") as stream:
        stream.truncate(end)
    (folder / "no.parquet").write_bytes(b"PAR1 no")
    pq.write_table(pa.table({"a": [1]}), folder / "empty.parquet")
    sources = [folder, tmp_path / "none.png", tmp_path / "none*.png"]
    found, rows = score(sources, max_pixels=70_000)
    assert found == DatasetScores(4, 8, 0)
    errors = {path: row["error"] for path, row in rows.items() if row["error"]}
    assert set(errors) == {
        *(str(folder / name) for name in ("cut.png", "text.png", "cut.tar", "no.parquet")),
        *map(str, (folder / "empty.parquet", pictures[0], *sources[1:])),
    }
    for path, error in errors.items():
        assert error.startswith(path)
        assert rows[path]["score"] is None
    assert "no column of image bytes" in errors[str(folder / "empty.parquet")]
    assert "over the limit of 0.07" in errors[str(pictures[0])]
    assert rows[f"{folder}/cut.tar#whole.png"]["score"]


@pytest.mark.answers(
    "Data sets on Ray",
    "an output with scores of another metric or other weights",
    "error: give a new folder's name",
)
@pytest.mark.answers(
    "Data sets on Ray",
    "more workers than the cluster has room for",
    "error that says for how many there is",
)
def test_other_scores_are_not_mixed_in(score, cluster, pictures, tmp_path):
    score(pictures)
    with pytest.raises(SriqaError, match=r"holds scores of sriqa_lite, weights .*, not of"):
        score_dataset(pictures, output=tmp_path / "scores.parquet")
    with pytest.raises(SriqaError, match="no room for 3 workers that take 1 of 2 processors"):
        score(pictures, workers=3)
    with pytest.raises(SriqaError, match="there are no images"):
        score([])
