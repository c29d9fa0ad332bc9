"""Processors that a process may use: those it may run on, or fewer under a quota."""

import os

import pytest

from sriqa_metric import processors


@pytest.fixture(autouse=True)
def eight(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def machine(folder, groups, **files):
    """A folder with the files of /proc and /sys that say so; `__` stands for `/`."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = folder / "sys/fs/cgroup" / name.replace("__", "/").replace("0", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        pytest.param(
            *("200000 100000\n", 2),
            marks=pytest.mark.answers(
                "Work and memory",
                "a container with a quota of 2 of 8 processors (cgroup, version 1 or 2)",
                "as many threads as the quota keeps busy",
            ),
        ),
        ("150000 100000\n", 2),
        ("100000\n", 8),
        ("1000 100000\n", 1),
        ("0 100000", 1),
        ("max 100000\n", 8),
        ("6400000 100000\n", 8),
        ("", 8),
        ("many 0\n", 8),
        ("100000 0\n", 8),
    ],
)
def test_quota_of_version_2(tmp_path, quota, expected):
    assert processors.available(machine(tmp_path, "0::/\n", cpu0max=quota)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a__b__cpu0max": "max 100000", "a__cpu0max": "300000 100000"}, 3),
        ({"a__b__cpu0max": "100000 100000", "a__cpu0max": "300000 100000"}, 1),
        ({"cpu0max": "200000 100000"}, 2),  # the path is that of the host
        ({"unified__a__b__cpu0max": "200000 100000"}, 2),
        ({"other__cpu0max": "100000 100000"}, 8),
        ({}, 8),
    ],
)
def test_the_tightest_group_on_the_way_counts(tmp_path, files, expected):
    assert processors.available(machine(tmp_path, "0::/a/b\n", **files)) == expected


def test_a_group_above_the_namespace(tmp_path):
    folder = machine(tmp_path / "in", "0::/../../x\n", cpu0max="100000 100000")
    assert processors.available(folder) == 1


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000", 2), ("-1", 8), ("250000", 3), ("many", 8)]
)
@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize("place", ["", "docker__x__"])
def test_quota_of_version_1(tmp_path, quota, expected, mount, place):
    groups = "4:memory:/elsewhere\n3:cpu,cpuacct:/docker/x\n1:name=systemd:/a:b\n0::/\n"
    files = {"quota": quota, "period": "100000\n"}
    files = {f"{mount}__{place}cpu0cfs_{name}_us": text for name, text in files.items()}
    assert processors.available(machine(tmp_path, groups, **files)) == expected


def test_processors_that_it_may_run_on(tmp_path, monkeypatch):
    assert processors.available(tmp_path) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert processors.available(tmp_path) == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert processors.available(tmp_path) == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors.available(tmp_path) == 1
    assert processors.available() >= 1


def test_lines_that_say_nothing(tmp_path):
    assert processors.available(machine(tmp_path, "\nx\n:::\n0:\n")) == 8
