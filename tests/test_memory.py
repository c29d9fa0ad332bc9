"""Which errors say that memory has run out."""

import numpy as np
import pytest
import torch

from sriqa_metric.memory import is_out_of_memory


@pytest.mark.parametrize("allocate", [torch.empty, np.empty, lambda size: bytes(8 * size)])
def test_more_than_any_machine_has(allocate):
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        allocate(1 << 50)
    assert is_out_of_memory(caught.value)


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
