"""What was held out is measured without holding it all in memory."""

import gc
import weakref

import pytest
import torch

from sriqa_metric.calibrate.config import load_config
from sriqa_metric.calibrate.data.distortions import recompressed
from sriqa_metric.calibrate.data.splits import read_data
from sriqa_metric.calibrate.data.sr_results import pixels
from sriqa_metric.calibrate.features.extract import image_codes
from sriqa_metric.calibrate.training import validation


@pytest.mark.answers(
    "Work and memory",
    "thousands of held-out SR results",
    "compressed and measured one by one, a few in memory",
)
def test_a_few_held_out_images_are_in_memory_at_a_time(made_data, lite, monkeypatch):
    alive, most = weakref.WeakValueDictionary(), [0]

    def counted(*given):
        image = recompressed(*given)
        alive[id(image)] = image
        gc.collect()
        most[0] = max(most[0], len(alive))
        return image

    monkeypatch.setattr(validation, "recompressed", counted)
    settings = [f"data.sr={made_data / 'sr'}", "validation.contents=5", "data.labelled=[]"]
    data = read_data(load_config("sriqa_lite", settings))
    held_out = validation.HeldOut(lite, data, 0)
    files = [path for m in data.full.methods for path in data.held(data.full.methods).images(m)]
    assert 1 < most[0] <= 4 < len(files)
    together = [recompressed(pixels(path), "WEBP", validation._TRACE_QUALITY) for path in files]
    expected = image_codes(lite, together, lite.policy)
    assert torch.equal(held_out.traced.flatten(0, 1), expected)
