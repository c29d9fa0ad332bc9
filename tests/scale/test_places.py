"""What a source means, and the paths that rows have."""

import os
import sys

import pytest
from pyarrow import fs

from sriqa_metric.errors import SriqaError
from sriqa_metric.scale.places import files_of, is_shard, located, named


def test_images_and_shards_of_a_folder(tmp_path):
    for name in ("b.png", "a.PARQUET", "c.tar", "d.txt", "e.JPG"):
        (tmp_path / name).touch()
    found = [item.path for item in files_of(str(tmp_path), False)]
    assert found == [str(tmp_path / name) for name in ("a.PARQUET", "b.png", "c.tar", "e.JPG")]
    assert [is_shard(path) for path in found] == [True, False, True, False]


def test_names_with_what_a_uri_would_take_for_syntax(tmp_path):
    name = "a #1?b=%41.png"
    (tmp_path / name).touch()
    file_system, path = located(f"file://{tmp_path}/{name}")
    assert file_system.get_file_info(path).type == fs.FileType.File
    (item,) = files_of(f"file://{tmp_path}", False)
    assert item.path == f"file://{tmp_path}/{name}"


@pytest.mark.parametrize("pattern", ["*/x?.png", "s*/x[12].png"])
def test_a_pattern_of_a_uri_matches_part_by_part(pattern, tmp_path):
    for name in ("s1/x1.png", "s2/x2.png", "s2/deep/x1.png", "x1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [item.path for item in files_of(f"file://{tmp_path}/{pattern}", False)]
    assert found == [f"file://{tmp_path}/s1/x1.png", f"file://{tmp_path}/s2/x2.png"]


def test_a_file_system_that_is_not_there_is_said():
    with pytest.raises(SriqaError, match=r"^nowhere://x/y: there is no file system for it"):
        located("nowhere://x/y")
    (item,) = files_of("nowhere://x/y", False)
    assert item.problem.startswith("there is no file system for it")


@pytest.mark.answers(
    "Data sets on Ray", "a name that is no text, in the rows", "its bytes as `\\xNN`"
)
@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_no_text_is_written_as_its_bytes():
    assert named(os.fsdecode(b"caf\xe9.png")) == r"caf\xe9.png"
    assert named("ü\n.png") == "ü\n.png"
