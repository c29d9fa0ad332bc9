"""Codes that stay in their files: the same values as in memory, without the memory."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sriqa_metric.calibrate.features.codes import Codes
from sriqa_metric.calibrate.features.shards import Shards

VERSIONS, WIDTH = 3, 2


def codes_of(lengths, order):
    """Codes of images of several shards in some order, and the same as a tensor."""
    shards = [
        np.random.default_rng(length).random((length, VERSIONS, WIDTH), np.float32)
        for length in lengths
    ]
    rows = VERSIONS * torch.tensor(order).unsqueeze(1) + torch.arange(VERSIONS)
    return Codes(shards, rows, WIDTH), torch.from_numpy(np.concatenate(shards))[order]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_any_index_gives_what_a_tensor_gives(lengths, data):
    places = st.integers(0, sum(lengths) - 1)
    order = data.draw(st.lists(places, min_size=2, max_size=12).filter(lambda x: len(x) % 2 == 0))
    codes, tensor = codes_of(lengths, order)
    assert codes.shape == tensor.shape
    assert len(codes) == len(tensor)
    own = st.lists(st.integers(-len(order), len(order) - 1), max_size=5)
    rows = torch.tensor(data.draw(own), dtype=torch.int64)
    for index in (
        ...,
        0,
        slice(1, None),
        (slice(None), 0),
        rows,
        (rows, rows % VERSIONS),
        (rows.unsqueeze(1), torch.tensor([2, 0])),
        torch.arange(len(order)) % 2 == 0,
    ):
        found = codes[index]
        assert torch.equal(found, tensor[index])
        assert found.dtype == torch.float32
    halves = codes.view(2, -1, VERSIONS)
    assert torch.equal(halves[:], tensor.view(2, -1, VERSIONS, WIDTH))
    assert torch.equal(halves[1, 0, 2], tensor[len(order) // 2, 2])


def test_an_index_that_is_not_there_is_an_error():
    codes, _ = codes_of([2, 3], [4, 1])
    with pytest.raises(IndexError, match="out of bounds"):
        codes[torch.tensor([2])]


def test_what_is_taken_is_a_copy():
    codes, tensor = codes_of([2], [0, 1])
    codes[0].zero_()
    assert torch.equal(codes[:], tensor)


def anonymous() -> int:
    """Bytes that this process has in memory and no file has."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])


@pytest.mark.answers(
    "Training runs",
    "more cached codes than memory, in however many files",
    "they stay there, none is held open; a step reads what it takes",
)
@pytest.mark.skipif(sys.platform != "linux", reason="no /proc")
def test_codes_of_a_store_take_no_memory_and_no_open_files(tmp_path):
    shards = Shards(tmp_path, "settings", (9, 1024))
    images = [f"{index:064x}" for index in range(2048)]
    for start in range(0, 2048, 256):
        some = torch.full((256, 9, 1024), float(start))
        shards.write(images[start : start + 256], some)
    size = shards.size()
    assert size > 75e6
    del some
    before, files = anonymous(), len(list(Path("/proc/self/fd").iterdir()))
    codes = shards.read(images)
    assert files == len(list(Path("/proc/self/fd").iterdir()))
    taken = codes[torch.arange(0, 2048, 64), 3]
    assert anonymous() - before < size / 10
    assert taken[:, 5].tolist() == [256.0 * (index // 256) for index in range(0, 2048, 64)]
