"""Images of shards, and those that need no second look."""

import io
import tarfile

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from sriqa_metric.scale.output import digests  # noqa: E402
from sriqa_metric.scale.shards import entries  # noqa: E402

CONTENTS = [b"0", b"11", None, b"333", b"4", b"55", b"666"]


def those(*names):
    return np.sort(digests(names))


@pytest.fixture
def parquet(tmp_path):
    """Row groups of three."""
    path = tmp_path / "0.parquet"
    pq.write_table(pa.table({"bytes": CONTENTS}), path, row_group_size=3)
    return str(path)


@pytest.fixture
def tar(tmp_path):
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as archive:
        for index, data in enumerate(CONTENTS):
            member = tarfile.TarInfo(f"{index}.png")
            member.size = len(data or b"")
            archive.addfile(member, io.BytesIO(data or b""))
    return str(path)


def test_rows_have_names_of_their_own(parquet):
    found = list(entries(parquet, those()))
    assert [entry.name for entry in found] == [f"{parquet}#{row}" for row in range(7)]
    assert [entry.data for entry in found] == CONTENTS
    told = [entry.problem for entry in found]
    assert told == [None, None, f"{parquet}#2: has no bytes of an image", None, None, None, None]


@pytest.mark.parametrize("done", [(), (1,), (0, 6), range(7)])
def test_what_is_done_is_left_out(done, parquet, tar):
    for path, name in ((parquet, "{}#{}"), (tar, "{}#{}.png")):
        known = those(*(name.format(path, row) for row in done))
        found = [entry.name for entry in entries(path, known)]
        assert found == [name.format(path, row) for row in range(7) if row not in done]


@pytest.mark.answers(
    "Data sets on Ray",
    "a run that goes on, with Parquet shards",
    "row groups whose images are all done are not read again",
)
def test_row_groups_that_are_done_are_not_read(parquet):
    group = pq.ParquetFile(parquet).metadata.row_group(0).column(0)
    start = group.dictionary_page_offset or group.data_page_offset
    with open(parquet, "rb+") as file:
        file.seek(start)
        file.write(b"\xff" * group.total_compressed_size)
    *_, last = entries(parquet, those())
    assert last.name == parquet
    assert f"{parquet}: cannot be read" in last.problem
    done = those(*(f"{parquet}#{row}" for row in range(3)))
    assert [entry.data for entry in entries(parquet, done)] == CONTENTS[3:]


def test_an_error_of_a_shard_that_was_told_is_not_told_again(tmp_path):
    path = str(tmp_path / "no.parquet")
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no")
    (entry,) = entries(path, those())
    assert entry.problem.startswith(f"{path}: cannot be read")
    assert not list(entries(path, those(path)))


@pytest.mark.answers(
    "Data sets on Ray",
    "a Parquet file of which any byte of the footer is another",
    "its images, or a row with the error: none is lost without one",
)
def test_damage_of_a_footer_loses_nothing_silently(parquet):
    with open(parquet, "rb") as file:
        whole = file.read()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    told = set()
    for place in range(footer, len(whole) - 8):
        for bit in (1, 2, 4):
            damaged = bytearray(whole)
            damaged[place] ^= bit
            with open(parquet, "wb") as file:
                file.write(damaged)
            found = list(entries(parquet, those()))
            if found and found[-1].name == parquet:
                told.add(found[-1].problem)
            else:
                assert [entry.data for entry in found] == CONTENTS
    assert any("is damaged: it tells of 7 rows" in problem for problem in told)
    assert any("is damaged: row group " in problem for problem in told)
