"""Which errors say that memory has run out."""

import numpy as np
import pytest
import torch

from sriqa_metric.errors import SriqaError
from sriqa_metric.memory import is_out_of_memory, memory_advice


@pytest.mark.parametrize("allocate", [torch.empty, np.empty, lambda size: bytes(8 * size)])
def test_more_than_any_machine_has(allocate):
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        allocate(1 << 50)
    assert is_out_of_memory(caught.value)


@pytest.mark.answers(
    "Work and memory",
    "oneDNN's `could not create a primitive`, when memory is short",
    "the error of that image: not enough memory",
)
@pytest.mark.parametrize("words", ["could not create a primitive", "could not create a memory"])
def test_onednn_tells_it_in_its_own_words(words):
    assert is_out_of_memory(RuntimeError(words))


@pytest.mark.answers(
    "Work and memory",
    "memory of the CPU runs out in training or caching",
    "error: which setting to halve",
)
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("could not create a primitive")])
def test_advice_is_for_any_memory(error):
    told = r"^labels: out of memory; set labels\.batch=8$"
    with pytest.raises(SriqaError, match=told), memory_advice("labels", "labels.batch=8"):
        raise error
    with pytest.raises(KeyError), memory_advice("labels", "labels.batch=8"):
        raise KeyError


@pytest.mark.gpu
def test_more_than_any_gpu_has():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50, device="cuda")
    assert is_out_of_memory(caught.value)


def test_mistakes_in_a_program_say_something_else():
    mistakes = [
        lambda: torch.ones(2, 3) @ torch.ones(2, 3),
        lambda: torch.ones(3).view(2, 2),
        lambda: torch.ones(1, requires_grad=True).numpy(),
    ]
    for mistake in mistakes:
        with pytest.raises(RuntimeError) as caught:
            mistake()
        assert not is_out_of_memory(caught.value)
    assert not is_out_of_memory(TypeError("out of memory"))
