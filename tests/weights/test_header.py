"""The head of a weights file, read without torch, and files that try to mislead it."""

import json
import subprocess
import sys

import pytest

from sriqa_metric.errors import WeightsError
from sriqa_metric.registry import find_spec
from sriqa_metric.weights.header import read_description, read_header
from sriqa_metric.weights.load import read_weights

answers = pytest.mark.answers
HUB = "Weights and the Hub"


def head(text: bytes, length: int | None = None) -> bytes:
    return (len(text) if length is None else length).to_bytes(8, "little") + text


BAD = {
    "empty": b"",
    "too short": b"\x10\0\0",
    "a huge head": head(b"{}", 2**62),
    "a head that is cut off": head(b'{"a": 1', 100),
    "no JSON": head(b"no JSON"),
    "a list": head(b"[]"),
    "no tensors but numbers": head(b'{"a": 1}'),
    "no shape": head(b'{"a": {"dtype": "F32"}}'),
    "nested without end": head(b"[" * 200_000),
    "metadata that is no table": head(b'{"__metadata__": 3}'),
}


@answers(
    HUB,
    "a header nested 200,000 deep",
    "error: not a whole safetensors file",
)
@pytest.mark.parametrize("name", BAD)
def test_files_that_are_none_are_refused(tmp_path, name):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(BAD[name])
    for read in (read_header, read_description, lambda p: read_weights(p, find_spec("sriqa_lite"))):
        with pytest.raises(WeightsError, match=r"bad\.safetensors"):
            read(path)


KEYS = "format_version metric encoder crop_policy training_data license"  # all that must be there


@answers(
    HUB,
    "a description nested 200,000 deep",
    "error: not ours",
)
@pytest.mark.parametrize(
    "told",
    [
        "no JSON",
        "[]",
        "3",
        "null",
        f'"{KEYS}"',
        "[" * 200_000,
        json.dumps({"metric": "sriqa_lite"}),
    ],
)
def test_descriptions_that_are_none_are_refused(tmp_path, told):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(head(json.dumps({"__metadata__": {"sriqa": told}}).encode()))
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        read_description(path)


def test_a_head_tells_its_tensors():
    header = read_header(find_spec("sriqa_lite").bundled)
    assert header.dtypes == ["F16"]
    assert header.tensors["rectifier.out.bias"] == ("F16", (2,))
    assert header.parameters > 3_000_000


def test_no_torch_is_needed():
    code = (
        "import sys; from sriqa_metric.registry import find_spec\n"
        "from sriqa_metric.weights.header import read_description\n"
        "print(read_description(find_spec('sriqa_lite').bundled)['metric'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["sriqa_lite", "False"], done.stderr
