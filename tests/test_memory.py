"""Which errors say that memory has run out."""

import numpy as np
import pytest
import torch

from sriqa_metric.errors import SriqaError
from sriqa_metric.memory import PassSize, crops_that_fit, is_out_of_memory, memory_advice


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


def _fits(limit, calls):
    """Work that takes memory for so many crops."""

    def work(crops):
        def run(at_once):
            calls.append(min(at_once, crops))
            if calls[-1] > limit:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")
            return at_once

        return run

    return work


def test_the_size_stays_halved(caplog):
    size, calls = PassSize(240), []
    work = _fits(60, calls)
    assert size.run(work(240), 240) == 60
    assert calls == [240, 120, 60]
    assert size.run(work(240), 240) == size.size == 60
    assert caplog.messages == [
        "not enough memory for 240 crops at once: now 120 are",
        "not enough memory for 120 crops at once: now 60 are",
    ]


def test_fewer_crops_than_the_size_are_halved_themselves():
    size, calls = PassSize(1000), []
    assert size.run(_fits(4, calls)(9), 9) == 4
    assert calls == [9, 4]
    assert size.size == 4


@pytest.mark.answers(
    "Work and memory",
    "an image of which memory does not suffice for a single crop",
    "error with its name; the images after it are scored with as many crops at once as before",
)
@pytest.mark.parametrize("crops", [0, 1, 5, 64])
def test_work_that_never_fits_is_its_own_error(crops):
    size = PassSize(32)
    calls = []
    with pytest.raises(RuntimeError, match="not enough memory"):
        size.run(_fits(-1, calls)(crops), crops)
    assert calls[-1] == min(1, crops)
    assert size.size == 32


def test_other_errors_halve_nothing(caplog):
    def work(at_once):
        raise RuntimeError("a mistake")

    size = PassSize(8)
    with pytest.raises(RuntimeError, match="a mistake"):
        size.run(work, 8)
    assert (size.size, caplog.messages) == (8, [])


@pytest.mark.answers(
    "Work and memory",
    "a card with little free memory, or a large network",
    "fewer crops at once, by what a crop of that network was measured to need",
)
@pytest.mark.parametrize(
    ("needed", "free", "expected"),
    [
        (10_000_000, 80_000_000_000, 480),
        (10_000_000, 9_600_000_000, 480),
        (10_000_000, 9_599_999_999, 240),
        (10_000_000, 4_000_000_000, 120),
        (10_000_000, 300_000_000, 15),
        (10_000_000, 0, 1),
        (0, 0, 480),
    ],
)
def test_crops_that_fit_into_half_of_what_is_free(needed, free, expected):
    assert crops_that_fit(480, needed, free) == expected


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
