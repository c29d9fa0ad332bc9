"""Decoding and the network go on at the same time, and the slower of them hardly ever waits.

Both only sleep, as a processor does that waits for a GPU or a disk, so that a busy machine matters
little.
"""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from sriqa_metric import scoring
from sriqa_metric.crops import CropPolicy
from sriqa_metric.errors import SriqaError

POLICY = CropPolicy(size=8, number=4, stride=8, wide_stride=8, wide=100)
PIXELS = torch.zeros(3, 16, 16, dtype=torch.uint8)  # four crops
BATCH = 4  # images


class Busy:
    """Seconds spent inside, by all threads together."""

    def __init__(self):
        self.seconds, self.running, self.most, self.lock = 0.0, 0, 0, threading.Lock()

    @contextmanager
    def __call__(self):
        start = time.monotonic()
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        yield
        with self.lock:
            self.running -= 1
            self.seconds += time.monotonic() - start


class Network:
    """Takes its time for every pass, and gives the mean of each crop."""

    device = torch.device("cpu")
    policy = POLICY
    crops_per_pass = BATCH * POLICY.number

    def __init__(self, seconds=0.0):
        self.seconds, self.busy, self.threads = seconds, Busy(), set()

    def encode(self, crops, at_once=None):
        self.threads.add(threading.current_thread())
        with self.busy():
            time.sleep(self.seconds)
        return crops.mean((1, 2, 3))[:, None]

    def read(self, codes):
        return codes[:, 0] * 255


@pytest.fixture(params=[False, True], ids=["on the CPU", "on a GPU"])
def beside(request, monkeypatch):
    """Whether the network has a processor of its own."""
    monkeypatch.setattr(scoring, "_has_own_processor", lambda device: request.param)
    return request.param


@pytest.fixture
def slow_files(monkeypatch):
    """Lets files take a while to decode."""

    def take(seconds):
        busy = Busy()

        def to_tensor(image, max_pixels):
            with busy():
                time.sleep(seconds)
            return PIXELS

        monkeypatch.setattr(scoring, "to_tensor", to_tensor)
        return busy

    return take


@pytest.mark.answers(
    "Work and memory",
    "decoding that takes longer than the network, or the other way round",
    "the slower is busy for at least 90 % of the time",
)
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("slower", ["decoding", "network"])
def test_the_slower_of_both_hardly_waits(beside, slow_files, workers, slower):
    decode = 0.02 * workers if slower == "decoding" else 0.014 * workers  # of an image
    pass_ = 0.07 if slower == "decoding" else 0.1  # of a batch of four: 0.08 or 0.056 to decode
    shares = []
    for _ in range(3):  # a machine that stops for a moment does so in one of them
        decoding, network = slow_files(decode), Network(pass_)
        start = time.monotonic()
        found = list(scoring.score_stream(network, ["x"] * 20 * BATCH, workers=workers))
        seconds = time.monotonic() - start
        assert found == [0.0] * 20 * BATCH
        assert decoding.most <= workers
        share = decoding.seconds / workers if slower == "decoding" else network.busy.seconds
        shares.append(share / seconds)
        if shares[-1] >= 0.9:
            return
    pytest.fail(f"busy for {shares} of the time")


def test_only_a_gpu_is_waited_for_in_another_thread(beside):
    network = Network()
    assert list(scoring.score_stream(network, [PIXELS] * 9)) == [0.0] * 9
    assert (threading.current_thread() in network.threads) != beside


@pytest.mark.parametrize("kind", ["many crops", "one crop", "enlarged"])
def test_order_and_errors_keep_their_places(beside, kind):
    side = {"many crops": 24, "one crop": 8, "enlarged": 5}[kind]
    images = [np.full((side, side, 3), value, np.uint8) for value in range(100)]
    images[7] = images[40] = "missing.png"
    found = list(scoring.score_stream(Network(), images, workers=3))
    for place, score in enumerate(found):
        if place in (7, 40):
            assert "missing.png" in str(score)
        else:
            assert score == pytest.approx(place, abs=1e-3)


@pytest.mark.answers(
    "Work and memory",
    "a stream of scores that is closed early, or whose images or network fail",
    "no thread is left, and what waited is not decoded",
)
@pytest.mark.parametrize("end", ["closed", "images", "network"])
def test_no_thread_is_left(beside, slow_files, monkeypatch, end):
    before = set(threading.enumerate())
    decoding, network = slow_files(0.01), Network()

    def images():
        for place in range(1000):
            if end == "images" and place == 50:
                raise KeyError("of the caller")
            yield "x"

    def fail(crops, at_once=None):
        raise RuntimeError("a mistake")

    results = scoring.score_stream(network, images(), workers=2)
    if end == "closed":
        next(results)
        results.close()
    else:
        if end == "network":
            monkeypatch.setattr(network, "encode", fail)
        with pytest.raises(KeyError if end == "images" else RuntimeError):
            list(results)
    assert set(threading.enumerate()) == before
    assert decoding.seconds < 0.01 * 100


@pytest.mark.answers(
    "Work and memory",
    "images larger than what is left of memory when several wait for the network",
    "only those that are being decoded are held whole; of the others their crops",
)
def test_whole_images_do_not_wait(beside, monkeypatch):
    held, most, lock = set(), [0], threading.Lock()

    class Large(torch.Tensor):
        def __del__(self):
            with lock:
                held.discard(id(self))

    def to_tensor(image, max_pixels):
        pixels = torch.zeros(3, 400, 400, dtype=torch.uint8).as_subclass(Large)
        with lock:
            held.add(id(pixels))
            most[0] = max(most[0], len(held))
        return pixels

    monkeypatch.setattr(scoring, "to_tensor", to_tensor)
    list(scoring.score_stream(Network(0.01), ["x"] * 40, workers=2))
    assert most[0] <= 2
    assert not held


def test_no_more_images_are_taken_than_a_few_batches_hold(beside, slow_files):
    slow_files(0.001)
    taken = []
    results = scoring.score_stream(
        Network(), (taken.append(place) or "x" for place in range(1000)), workers=2
    )
    for done in range(1, 101):
        assert not isinstance(next(results), SriqaError)
        assert len(taken) <= done + 5 * BATCH
    results.close()


@pytest.mark.parametrize("short", [0, 1])
def test_memory_that_runs_out_is_halved_in_either_thread(beside, monkeypatch, short, caplog):
    network = Network()
    encode = network.encode

    def limited(crops, at_once=None):
        if min(len(crops), at_once) > 8 or (short and crops.max() > 0.5):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return encode(crops)

    monkeypatch.setattr(network, "encode", limited)
    images = [PIXELS, PIXELS + 255, *[PIXELS] * 10]
    found = list(scoring.score_stream(network, images))
    assert [type(score) for score in found] == [float, [float, SriqaError][short], *[float] * 10]
    assert caplog.messages[0] == "not enough memory for 16 crops at once: now 8 are"
    assert len(caplog.messages) == (4 if short else 1)
