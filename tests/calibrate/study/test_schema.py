"""The file of a study: who may read it, and who else holds it."""

import os
import sqlite3
import stat
from contextlib import closing

import pytest

from sriqa_metric.calibrate.study.assignment import Settings
from sriqa_metric.calibrate.study.store import Store
from sriqa_metric.errors import SriqaError

row = "Study and votes"


@pytest.mark.answers(
    row, "`study` on a file that another program keeps locked", "error after five seconds"
)
def test_a_file_that_is_locked_at_the_start(tmp_path, pairs, monkeypatch):
    monkeypatch.setattr("sriqa_metric.calibrate.study.schema.BUSY_SECONDS", 0.1)
    Store(tmp_path / "v.sqlite", pairs, Settings()).close()
    with closing(sqlite3.connect(tmp_path / "v.sqlite", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(SriqaError, match=r"v\.sqlite: cannot be opened .* locked"):
            Store(tmp_path / "v.sqlite", pairs, Settings())


@pytest.mark.skipif(os.name == "nt", reason="no modes")
@pytest.mark.answers(
    row, "who may read `votes.sqlite`, with its `-wal` and `-shm`", "only its owner (0600)"
)
@pytest.mark.parametrize("there", [False, True])
def test_only_the_owner_may_read(tmp_path, pairs, there):
    path = tmp_path / "v.sqlite"
    old = os.umask(0o022)
    try:
        if there:
            Store(path, pairs, Settings()).close()
            path.chmod(0o644)
        store = Store(path, pairs, Settings())
        store.start("code-one", "s")
    finally:
        os.umask(old)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["v.sqlite", "v.sqlite-shm", "v.sqlite-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    store.close()
