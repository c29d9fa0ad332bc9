"""Images and scores in an object store, by the S3 protocol on loopback."""

import socket
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

import sriqa_metric as sriqa
from sriqa_metric.crops import CropPolicy
from sriqa_metric.scale import DatasetScores, score_dataset
from sriqa_metric.scale.places import files_of
from tests.random_weights import save_random

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An empty bucket; what Ray starts later finds the store by its environment."""
    pytest.importorskip("moto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(command, stderr=log, stdout=log) as server,
    ):
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "a")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        endpoint = f"http://127.0.0.1:{port}"
        files = fs.S3FileSystem(endpoint_override=endpoint, allow_bucket_creation=True)
        files.create_dir("bucket")
        yield files
        server.kill()


@pytest.mark.answers(
    "Data sets on Ray", "images and output in an object store", "read and written there"
)
def test_from_a_bucket_into_a_bucket(store, pictures, tmp_path):
    ray = pytest.importorskip("ray")
    ray.shutdown()  # one that was started before does not know the store
    for path in pictures:
        for key in (f"bucket/in/{path.name}", f"bucket/in/below/{path.name}"):
            with store.open_output_stream(key) as stream:
                stream.write(path.read_bytes())
    with store.open_output_stream("bucket/in/bad.png") as stream:
        stream.write(b"no image")
    weights = save_random("sriqa_lite", tmp_path, CropPolicy(size=64, number=2))
    sources = [
        "s3://bucket/in",
        "s3://bucket/in/bel*/?.png",
        "s3://bucket/none.png",
        "s3://bucket/none*",
    ]
    found = score_dataset(sources, output="s3://bucket/out.parquet", weights=weights)
    assert found == DatasetScores(7, 3, 0)
    rows = {r["path"]: r for r in pq.read_table("bucket/out.parquet", filesystem=store).to_pylist()}
    metric = sriqa.load(weights=weights)
    for path in pictures:
        row = rows.pop(f"s3://bucket/in/{path.name}")
        assert row["score"] == pytest.approx(metric.score(path), abs=1e-5)
    assert {path for path, row in rows.items() if row["score"]} == {
        f"s3://bucket/in/below/{path.name}" for path in pictures if len(path.name) == 5
    }
    assert "bad.png: is not an image" in rows["s3://bucket/in/bad.png"]["error"]
    assert rows["s3://bucket/none.png"]["error"].startswith("s3://bucket/none.png: cannot be read")
    assert rows["s3://bucket/none*"]["error"] == "s3://bucket/none*: nothing matches this pattern"
    again = score_dataset(
        "s3://bucket", recursive=True, output="s3://bucket/out.parquet", weights=weights
    )
    assert again == DatasetScores(1, 0, 10)  # `b #1?.png` below, which the pattern had not met


def test_listing(store):
    with store.open_output_stream("bucket/list/a.JPG") as stream:
        stream.write(b"1")
    assert [item.path for item in files_of("s3://bucket/list", False)] == ["s3://bucket/list/a.JPG"]
    (item,) = files_of("s3://bucket/list/**/a.JPG", False)
    assert "** is for files of this machine" in item.problem
    (item,) = files_of("s3://no-such-bucket", False)
    assert item.problem is None  # it is said when it is read
