"""Shards that are damaged or strange: refused, or the same codes."""

import contextlib
import json
import re
import shutil
import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sriqa_metric.calibrate.features import shards as feature_shards
from sriqa_metric.calibrate.features import store as feature_store
from sriqa_metric.calibrate.features.store import FeatureStore
from sriqa_metric.errors import SriqaError
from tests.calibrate.tiny import WIDTH, make_images, tiny_metric


@pytest.mark.answers(
    "Training runs", "flipped bits in a file of cached codes", "error with its name"
)
@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (-1, "is damaged, its codes are not those"),
        (-4 * 9 * WIDTH, "is damaged, its codes are not those"),
        (b"sha256:1", "is no shard of this store"),
        (b"codes", ""),
        (7, "it claims a header of"),
    ],
)
def test_flipped_bits_are_refused(position, reason, images, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric())
    store.fill(images)
    shard = next(store.folder.glob("*.safetensors"))
    data = bytearray(shard.read_bytes())
    data[data.index(position) if isinstance(position, bytes) else position] ^= 1
    shard.write_bytes(data)
    with pytest.raises(SriqaError, match=rf"{shard.name}: .*{reason}.*delete it, and what it held"):
        store.codes(images)
    shard.unlink()
    assert store.fill(images) == 12


@pytest.mark.answers("Training runs", "a cut off file of cached codes", "error with its name")
def test_every_truncation_is_refused(images, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric(), draws=1)
    store.fill(images[:3])
    shard = next(store.folder.glob("*.safetensors"))
    data = shard.read_bytes()
    for length in {*range(0, len(data), 7), len(data) - 1}:
        shard.write_bytes(data[:length])
        with pytest.raises(SriqaError, match="delete it, and what it held is computed anew"):
            store.codes(images[:3])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_harmless(tmp_path_factory, data):
    """Whatever one byte becomes: the same codes or an error, and never other codes."""
    root = tmp_path_factory.getbasetemp() / "damage"
    paths = make_images(root, 2) if not root.exists() else sorted(root.iterdir())
    store = FeatureStore(root.parent / "damage-store", tiny_metric(), draws=1)
    shutil.rmtree(store.folder, ignore_errors=True)
    codes = store.codes(paths)[:]
    shard = next(store.folder.glob("*.safetensors"))
    content = bytearray(shard.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    shard.write_bytes(content)
    with contextlib.suppress(SriqaError):
        found = store.codes(paths)[:]
        torch.testing.assert_close(found, codes, atol=1e-6, rtol=0)


def header_of(shard):
    length = struct.unpack("<Q", shard.read_bytes()[:8])[0]
    return json.loads(shard.read_bytes()[8 : 8 + length]), shard.read_bytes()[8 + length :]


@pytest.mark.answers(
    "Training runs",
    "a hostile header of a file of cached codes",
    "one short error with its name",
)
@pytest.mark.parametrize(
    "hostile",
    [
        lambda header: header.pop("__metadata__"),
        lambda header: header["__metadata__"].update(features=""),
        lambda header: header["__metadata__"].update(features="\n" * 14),
        lambda header: header["__metadata__"].update(
            features=header["__metadata__"]["features"].rsplit("\n", 1)[0]
        ),
        lambda header: header["__metadata__"].update(
            features=header["__metadata__"]["features"][:-1] + "/"
        ),
        lambda header: header.update(codes=header["codes"] | {"shape": [12, 9 * WIDTH]}),
        lambda header: header.update(codes=header["codes"] | {"dtype": "I32"}),
        lambda header: header.update(codes=header["codes"] | {"shape": [2**40, 9, WIDTH]}),
        lambda header: header.update(codes=header["codes"] | {"data_offsets": [0, 2**60]}),
        lambda header: header.update(other=header.pop("codes")),
        lambda header: header.update({"__metadata__": "[" * 300_000}),
        lambda header: header.update({"__metadata__": "x" * 2_000_000}),
    ],
)
def test_hostile_headers_are_refused(hostile, images, tmp_path):
    store = FeatureStore(tmp_path / "store", tiny_metric())
    store.fill(images)
    shard = next(store.folder.glob("*.safetensors"))
    header, codes = header_of(shard)
    hostile(header)
    text = json.dumps(header).encode()
    shard.write_bytes(struct.pack("<Q", len(text)) + text + codes)
    with pytest.raises(SriqaError, match=re.escape(f"{shard}: ")) as error:
        store.codes(images)
    assert len(str(error.value)) < 2000


@pytest.mark.answers(
    "Training runs", "a file of codes of other settings in the cache", "error with its name"
)
def test_a_shard_of_another_store_is_refused(images, tmp_path):
    one, other = (FeatureStore(tmp_path, tiny_metric(), draws=1, seed=seed) for seed in (0, 1))
    one.fill(images)
    other.folder.mkdir()
    shutil.copy(next(one.folder.glob("*.safetensors")), other.folder)
    with pytest.raises(SriqaError, match="is no shard of this store; delete it"):
        other.fill(images)


def test_a_header_of_a_full_shard_is_within_the_limit():
    assert feature_store._SHARD * 65 < feature_shards._MAX_HEADER / 10
